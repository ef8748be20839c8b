"""The project's own template, deployed on this machine."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from local.errors import UserError
from local.places import ROOT, SCRATCH, TOOLS
from local.stack.account import EmulatedAccount
from local.stack.build import architecture, build, sam_environment
from local.stack.emulator import account_at, emulator
from local.stack.processes import run

_STACK = "cpd-exporter-local"  # both names are those in samconfig.toml
_ARTIFACTS = "sam-artifacts"


@dataclass(frozen=True)
class DeployedStack:
    """A stack that is up, and the account that holds it."""

    account: EmulatedAccount
    outputs: Mapping[str, str]
    log: Path
    """The output of the emulator and of the functions."""

    def put_secret(self, credentials: Mapping[str, str]) -> None:
        """Store the credentials of the API in the stack's secret."""
        self.account.secrets.put_secret_value(
            SecretId=self.outputs["CredentialsSecretArn"], SecretString=json.dumps(credentials)
        )


@contextlib.contextmanager
def deployed(
    parameters: Mapping[str, str], *, port: int = 0, say: Callable[[str], None]
) -> Iterator[DeployedStack]:
    """Deploy a stack with an empty secret; remove it with all its data on leaving.

    If a ``UserError`` ends it, its logs stay.
    """
    stacks = SCRATCH / "stacks"
    stacks.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=stacks))
    try:
        say("Starting MiniStack")
        with emulator(port, folder) as account:
            say("Building (sam build)")
            template = build()
            say("Deploying (sam deploy)")
            _deploy(account, template, parameters, folder / "sam-deploy.log")
            _restore_number(account)
            yield DeployedStack(account, _outputs(account), folder / "ministack.log")
    except UserError:
        shutil.rmtree(folder / "tmp", ignore_errors=True)
        if not any(folder.iterdir()):
            folder.rmdir()
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def at_port(port: int) -> DeployedStack:
    """Find the stack that another process keeps up."""
    account = account_at(port)
    return DeployedStack(account, _outputs(account), Path("of the process that keeps it up"))


def _deploy(
    account: EmulatedAccount, template: Path, parameters: Mapping[str, str], log: Path
) -> None:
    account.s3.create_bucket(Bucket=_ARTIFACTS)
    # More workers than this would only make each cold start slower.
    overrides = {"Architecture": architecture(), "WorkerConcurrency": "2", **parameters}
    run(
        [
            TOOLS / "sam/bin/sam",
            "deploy",
            *("--config-file", ROOT / "samconfig.toml"),
            *("--config-env", "local"),
            *("--template-file", template),
            "--parameter-overrides",
            # SAM's own parser splits values at blanks, so they need quotes.
            *(f'{name}="{value}"' for name, value in overrides.items()),
        ],
        sam_environment()
        | {
            "AWS_ENDPOINT_URL": account.endpoint,
            "AWS_DEFAULT_REGION": account.region,
            "AWS_ACCESS_KEY_ID": account.access_key_id,
            "AWS_SECRET_ACCESS_KEY": account.secret_access_key,
        },
        log,
        "sam deploy",
    )


def _restore_number(account: EmulatedAccount) -> None:
    """Turn the workers' concurrency into a number again.

    MiniStack passes a numeric parameter on as text and then cannot count with it. AWS converts it.
    """
    for mapping in account.functions.list_event_source_mappings()["EventSourceMappings"]:
        concurrency = int(mapping["ScalingConfig"]["MaximumConcurrency"])
        account.functions.update_event_source_mapping(
            UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": concurrency}
        )


def _outputs(account: EmulatedAccount) -> dict[str, str]:
    (stack,) = account.cloudformation.describe_stacks(StackName=_STACK)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
