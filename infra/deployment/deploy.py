"""Deploy template.yaml through CloudFormation, to AWS or to anything that speaks like it, and publish the dashboard."""

import hashlib
import json
import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from infra import aws
from infra.deployment import package, template
from infra.errors import InfraError

SITE = Path(__file__).resolve().parents[2] / "dashboard" / "dist"
Outputs = dict[str, str]
STACK = "switchboard"
# The page asks again for what may change; the rest carries its hash in its name.
FRESH, FOREVER = "no-cache", "public, max-age=31536000, immutable"
LIVE_STATES = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


@dataclass(frozen=True)
class Deployment:
    """One stack, somewhere."""

    parameters: Mapping[str, str]
    build: Callable[[str], Path]
    """Makes the zip of a package, given its name."""
    stack: str = STACK
    region: str = "us-east-1"
    endpoint_url: str | None = None
    site: Path = SITE
    page: Path | None = None
    """A folder for the page as well, for a web server that serves it."""
    credentials: aws.Credentials | None = field(default=None, repr=False)
    """Those of the emulator at `endpoint_url`. Without them, what `aws.client` finds."""
    _clients: dict[str, Any] = field(default_factory=dict[str, Any], init=False, repr=False, compare=False)

    def run(self) -> Outputs:
        bucket = self._artifacts_bucket()
        keys = {name: self._upload(bucket, name) for name in package.NAMES}
        outputs = self._apply(self._upload_template(bucket, packaged(template.load(), bucket, keys)))
        if outputs["WebSocket"].startswith("http"):
            outputs["WebSocket"] = "ws" + outputs["WebSocket"].removeprefix("http")
        self._publish(outputs)
        return outputs

    def publish(self) -> Outputs:
        """Publish the dashboard of an existing stack."""
        if not self._exists():
            raise InfraError(f"There is no stack {self.stack} in {self.region}.")
        outputs = self._outputs()
        self._publish(outputs)
        return outputs

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients' classes when it runs
        """One for all calls: to make a client takes longer than a call to an emulator."""
        if service not in self._clients:
            self._clients[service] = aws.client(service, self.region, self.endpoint_url, self.credentials)
        return self._clients[service]

    def _artifacts_bucket(self) -> str:
        account = self.client("sts").get_caller_identity()["Account"]
        bucket = f"{self.stack}-artifacts-{account}-{self.region}"
        place = {} if self.region == "us-east-1" else {"LocationConstraint": self.region}
        try:
            self.client("s3").create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": place} if place else {}))
        except ClientError as error:
            if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
                raise
        return bucket

    def _upload(self, bucket: str, name: str) -> str:
        """Put the zip where CloudFormation finds it; its hash in its name tells whether the function changed."""
        archive = self.build(name).read_bytes()
        key = f"{name}/{hashlib.sha256(archive).hexdigest()}.zip"
        self.client("s3").put_object(Bucket=bucket, Key=key, Body=archive)
        return key

    def _upload_template(self, bucket: str, body: template.Template) -> str:
        """Its address: it is longer than what CloudFormation takes in a request."""
        text = json.dumps(body, separators=(",", ":")).encode()
        key = f"template/{hashlib.sha256(text).hexdigest()}.json"
        self.client("s3").put_object(Bucket=bucket, Key=key, Body=text)
        edge = (
            f"{self.endpoint_url}/{bucket}" if self.endpoint_url else f"https://{bucket}.s3.{self.region}.amazonaws.com"
        )
        return f"{edge}/{key}"

    def _apply(self, template_url: str) -> Outputs:
        """Create the stack or update it, and wait for the end."""
        cloudformation = self.client("cloudformation")
        request = {
            "StackName": self.stack,
            "TemplateURL": template_url,
            "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in self.parameters.items()],
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        }
        act = "update" if self._exists() else "create"
        try:
            getattr(cloudformation, f"{act}_stack")(**request)
            delay_seconds = 0.2 if self.endpoint_url else 5
            cloudformation.get_waiter(f"stack_{act}_complete").wait(
                StackName=self.stack, WaiterConfig={"Delay": delay_seconds, "MaxAttempts": int(1200 / delay_seconds)}
            )
        except WaiterError as error:
            raise InfraError(f"The stack {self.stack} was not deployed:\n{self._reasons()}") from error
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise InfraError(f"CloudFormation refused the stack {self.stack}: {error}") from error
        return self._outputs()

    def _outputs(self) -> Outputs:
        stack = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def _exists(self) -> bool:
        try:
            stacks = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"]
        except ClientError:
            return False
        status = stacks[0]["StackStatus"]
        if status not in LIVE_STATES:
            raise InfraError(f"The stack {self.stack} is {status}: delete it or wait until it has settled.")
        return True

    def _reasons(self) -> str:
        events = self.client("cloudformation").describe_stack_events(StackName=self.stack)["StackEvents"]
        return "\n".join(
            f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
            for event in reversed(events)
            if event["ResourceStatus"].endswith("FAILED")
        )

    def _publish(self, outputs: Outputs) -> None:
        """Put the built page into its bucket, and beside it where its API is."""
        paths = [path for path in self.site.rglob("*") if path.is_file()]
        files = {path.relative_to(self.site).as_posix(): path.read_bytes() for path in paths}
        config = {"api": outputs["Api"], "websocket": outputs["WebSocket"]}
        s3 = self.client("s3")
        for key, body in {**files, "config.json": json.dumps(config).encode()}.items():
            s3.put_object(
                Bucket=outputs["DashboardBucket"],
                Key=key,
                Body=body,
                ContentType=mimetypes.guess_type(key)[0] or "application/octet-stream",
                CacheControl=FOREVER if key.startswith("assets/") else FRESH,
            )
            if self.page:
                (self.page / key).parent.mkdir(parents=True, exist_ok=True)
                (self.page / key).write_bytes(body)


def packaged(body: template.Template, bucket: str, keys: Mapping[str, str]) -> template.Template:
    """The template with each function's code in S3, as `aws cloudformation package` rewrites it."""
    for name, handler in template.functions(body).items():
        place = {"Bucket": bucket, "Key": keys[template.package_of(handler)]}
        body["Resources"][name]["Properties"]["CodeUri"] = place
        del body["Resources"][name]["Metadata"]  # tells `sam build` what was done here already
    del body["Globals"]["Function"]["CodeUri"]
    return body
