"""The project's own template, deployed on this machine."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from local.account import Account
from local.building import architecture, build, sam_environment
from local.emulator import account_at, emulator
from local.places import ROOT, SCRATCH, TOOLS
from local.problem import UserError
from local.processes import run

_STACK = "cpd-exporter-local"  # as samconfig.toml has them
_ARTIFACTS = "sam-artifacts"


@dataclass(frozen=True)
class Stack:
    account: Account
    outputs: Mapping[str, str]
    log: Path
    """What the emulator and the functions wrote."""

    def put_secret(self, credentials: Mapping[str, str]) -> None:
        self.account.secrets.put_secret_value(
            SecretId=self.outputs["CredentialsSecretArn"], SecretString=json.dumps(credentials)
        )


@contextlib.contextmanager
def deployed(
    parameters: Mapping[str, str], *, port: int = 0, say: Callable[[str], None]
) -> Iterator[Stack]:
    """A stack with an empty secret; in the end it is gone with all that it stored.

    Its logs stay only if a problem ends it.
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
            yield Stack(account, _outputs(account), folder / "ministack.log")
    except UserError:
        shutil.rmtree(folder / "tmp", ignore_errors=True)
        if not any(folder.iterdir()):
            folder.rmdir()
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def at_port(port: int) -> Stack:
    """A stack that is up already."""
    account = account_at(port)
    return Stack(account, _outputs(account), Path("of the process that keeps it up"))


def _deploy(account: Account, template: Path, parameters: Mapping[str, str], log: Path) -> None:
    account.s3.create_bucket(Bucket=_ARTIFACTS)
    # More workers than cores would only start more slowly.
    overrides = {"Architecture": architecture(), "WorkerConcurrency": "2", **parameters}
    run(
        [
            TOOLS / "sam/bin/sam",
            "deploy",
            *("--config-file", ROOT / "samconfig.toml"),
            *("--config-env", "local"),
            *("--template-file", template),
            "--parameter-overrides",
            # Quoted for SAM's own parser, which splits at blanks.
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


def _restore_number(account: Account) -> None:
    """MiniStack hands on a number that came from a parameter as text, and then fails to count.

    AWS itself converts it.
    """
    for mapping in account.functions.list_event_source_mappings()["EventSourceMappings"]:
        concurrency = int(mapping["ScalingConfig"]["MaximumConcurrency"])
        account.functions.update_event_source_mapping(
            UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": concurrency}
        )


def _outputs(account: Account) -> dict[str, str]:
    (stack,) = account.cloudformation.describe_stacks(StackName=_STACK)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
