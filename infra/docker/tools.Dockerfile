# The switchboard command with everything that it needs: migrates, deploys, builds the page, and is MiniStack as well.
FROM ghcr.io/astral-sh/uv:0.13.9 AS uv

FROM python:3.13-slim-bookworm
COPY --from=uv /uv /usr/local/bin/uv
WORKDIR /switchboard
ENV UV_LINK_MODE=copy PATH=/switchboard/.venv/bin:$PATH
COPY pyproject.toml uv.lock README.md ./
RUN uv sync --frozen --no-dev --no-install-project
COPY . .
RUN uv sync --frozen --no-dev && python -m infra.toolchain.dashboard build
ENTRYPOINT ["switchboard"]
