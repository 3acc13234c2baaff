# The authorizer as an image: docker build -f infra/docker/authorizer.Dockerfile .
FROM ghcr.io/astral-sh/uv:0.13.9 AS uv

FROM public.ecr.aws/lambda/python:3.13 AS dependencies
COPY --from=uv /uv /usr/local/bin/uv
COPY pyproject.toml uv.lock ./
RUN uv export --frozen --only-group authorizer --no-emit-project > requirements.txt \
    && uv pip install --target /dependencies --no-deps --require-hashes -r requirements.txt

FROM public.ecr.aws/lambda/python:3.13
COPY --from=dependencies /dependencies ${LAMBDA_TASK_ROOT}/
COPY functions/__init__.py ${LAMBDA_TASK_ROOT}/functions/
COPY functions/authorizer ${LAMBDA_TASK_ROOT}/functions/authorizer
COPY shared ${LAMBDA_TASK_ROOT}/shared
CMD ["functions.authorizer.app.authorize"]
