"""The project's own template, deployed on this machine."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from local.errors import UserError
from local.places import ROOT, TOOLS
from local.stack.account import EmulatedAccount
from local.stack.build import architecture, build, sam_environment
from local.stack.emulator import account_at, emulator
from local.stack.processes import run
from local.stack.registry import STACKS, clean, find_up, hold

_STACK = "cpd-exporter-local"
_ARTIFACTS = "sam-artifacts"

WORKER_CONCURRENCY = "2"


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
    """Deploy one stack with an empty secret into an account of its own; see ``emulated``."""
    with emulated(port, say=say) as place:
        say("Deploying (sam deploy)")
        yield place.deploy(parameters)


@dataclass(frozen=True)
class EmulatedPlace:
    """An account that is up, and the built template; stacks of any number can be deployed there."""

    account: EmulatedAccount
    template: Path
    folder: Path

    def deploy(
        self, parameters: Mapping[str, str], stage: str = "local", *options: str
    ) -> DeployedStack:
        """Deploy a stage of samconfig.toml; without parameters, those of the stage count."""
        name = f"cpd-exporter-{stage}"
        run(
            [
                TOOLS / "sam/bin/sam",
                "deploy",
                *("--config-file", ROOT / "samconfig.toml"),
                *("--config-env", stage),
                *("--template-file", self.template),
                # SAM's own bucket denies what comes without TLS.
                *("--no-resolve-s3", "--s3-bucket", _ARTIFACTS),
                *_overrides(parameters),
                *options,
            ],
            sam_environment()
            | {
                "SAM_CLI_POLL_DELAY": "0.3",  # seconds; AWS would throttle that
                "AWS_ENDPOINT_URL": self.account.endpoint,
                "AWS_DEFAULT_REGION": self.account.region,
                "AWS_ACCESS_KEY_ID": self.account.access_key_id,
                "AWS_SECRET_ACCESS_KEY": self.account.secret_access_key,
            },
            self.folder / "sam-deploy.log",
            "sam deploy",
        )
        _restore_number(self.account)
        log = self.folder / "ministack.log"
        return DeployedStack(self.account, _outputs(self.account, name), log)


def _overrides(parameters: Mapping[str, str]) -> list[str]:
    """Return the arguments that give the parameters, and what suits this machine."""
    if not parameters:
        return []
    # More workers than this would only make each cold start slower.
    values = {"Architecture": architecture(), "WorkerConcurrency": WORKER_CONCURRENCY, **parameters}
    # SAM's own parser splits values at blanks, so they need quotes.
    return ["--parameter-overrides", *(f'{name}="{value}"' for name, value in values.items())]


@contextlib.contextmanager
def emulated(port: int = 0, *, say: Callable[[str], None]) -> Iterator[EmulatedPlace]:
    """Start an empty account and build the template; remove all data on leaving.

    If a ``UserError`` ends it, its logs stay.
    """
    STACKS.mkdir(parents=True, exist_ok=True)
    clean()
    folder = Path(tempfile.mkdtemp(dir=STACKS))
    try:
        say("Starting MiniStack")
        with hold(folder), emulator(port, folder) as account:
            account.s3.create_bucket(Bucket=_ARTIFACTS)
            say("Building (sam build)")
            yield EmulatedPlace(account, build(), folder)
    except UserError:
        shutil.rmtree(folder / "tmp", ignore_errors=True)
        if not any(path.suffix == ".log" for path in folder.iterdir()):
            shutil.rmtree(folder)
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def at_port(port: int) -> DeployedStack:
    """Find the stack that another process keeps up; port 0 takes the only one."""
    stack = find_up(port)
    account = account_at(stack.port, is_noted=stack.is_noted)
    return DeployedStack(account, _outputs(account), Path("of the process that keeps it up"))


def _restore_number(account: EmulatedAccount) -> None:
    """Turn the workers' concurrency into a number again.

    MiniStack passes a numeric parameter on as text and then cannot count with it. AWS converts it.
    """
    for mapping in account.functions.list_event_source_mappings()["EventSourceMappings"]:
        concurrency = int(mapping["ScalingConfig"]["MaximumConcurrency"])
        account.functions.update_event_source_mapping(
            UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": concurrency}
        )


def _outputs(account: EmulatedAccount, name: str = _STACK) -> dict[str, str]:
    (stack,) = account.cloudformation.describe_stacks(StackName=name)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
