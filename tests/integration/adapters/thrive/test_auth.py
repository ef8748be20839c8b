"""Both ways of signing in, against the simulator over HTTP."""

import threading
from dataclasses import replace

import pytest

from cpd_exporter.errors import AccessError
from cpd_exporter.model.options import Scope
from simulator import InjectedFault
from tests.support.thrive import (
    SECRETS,
    ThriveService,
    assert_clean,
    basic_secret,
    oauth2_secret,
)


class TestBasic:
    def test_reads(self, service: ThriveService) -> None:
        api = service.basic()
        assert api.query(None).total == 50
        assert api.calls == 1

    def test_a_rotated_secret_is_read_again(self, service: ThriveService) -> None:
        api = service.basic()
        service.simulator.credentials = replace(SECRETS, api_secret="rotated")
        service.api_secret.current = basic_secret(apiSecret="rotated")
        assert api.query(None).total == 50
        assert api.query(None).total == 50
        assert service.api_secret.reads == 1
        assert service.simulator.count("listing", 401) == 1

    def test_a_wrong_secret_is_not_hammered(self, service: ThriveService) -> None:
        service.simulator.credentials = replace(SECRETS, api_secret="another")
        with pytest.raises(AccessError, match="mend the secret") as raised:
            service.basic().query(None)
        assert_clean(raised.value)
        assert service.simulator.count() == 1
        assert service.clock.waits == []

    def test_a_rotated_secret_that_is_wrong_too(self, service: ThriveService) -> None:
        service.simulator.credentials = replace(SECRETS, api_secret="another")
        service.api_secret.current = basic_secret(apiSecret="wrong")
        with pytest.raises(AccessError, match="mend the secret"):
            service.basic().query(None)
        assert service.simulator.count() == 2


class TestClientCredentials:
    @pytest.mark.parametrize("accepted_in", ["basic", "body", "both"])
    @pytest.mark.parametrize("status", [400, 401])
    def test_says_who_it_is_where_it_is_wanted(
        self, service: ThriveService, accepted_in: str, status: int
    ) -> None:
        service.simulator.behave(client_credentials_in=accepted_in, invalid_client_status=status)
        assert service.oauth2().query(None).total == 50

    def test_remembers_which_way_worked(self, service: ThriveService) -> None:
        service.simulator.behave(client_credentials_in="body", token_lifetime_seconds=100)
        api = service.oauth2()
        for _ in range(3):
            api.query(None)
            service.clock.sleep(100)
        assert service.simulator.count("token", 200) == 3
        refused = service.simulator.count("token") - 3
        assert 1 <= refused <= 2
        assert service.client_secret.reads == 0

    def test_one_token_serves_until_shortly_before_its_end(self, service: ThriveService) -> None:
        api = service.oauth2()
        api.query(None)
        service.clock.sleep(3600 - 61)
        api.query(None)
        assert service.simulator.count("token") == 1
        service.clock.sleep(1)
        api.query(None)
        assert service.simulator.count("token") == 2
        assert service.simulator.count("listing", 401) == 0
        assert api.calls == 5

    def test_short_lived_tokens_never_run_out_in_use(self, service: ThriveService) -> None:
        service.simulator.behave(token_lifetime_seconds=10)
        api = service.oauth2()
        for _ in range(10):
            api.query(None)
            service.clock.sleep(4.4)
        assert service.simulator.count("listing", 401) == 0
        assert service.simulator.count("token") == 4

    def test_a_revoked_token_is_replaced(self, service: ThriveService) -> None:
        api = service.oauth2()
        api.query(None)
        service.simulator.revoke_tokens()
        assert api.query(None).total == 50
        assert service.simulator.count("listing", 401) == 1

    def test_a_rotated_client_secret_is_read_again(self, service: ThriveService) -> None:
        service.simulator.credentials = replace(SECRETS, client_secret="rotated")
        service.client_secret.current = oauth2_secret(clientSecret="rotated")
        assert service.oauth2().query(None).total == 50
        assert service.client_secret.reads == 1

    def test_a_wrong_client_secret(self, service: ThriveService) -> None:
        service.simulator.credentials = replace(SECRETS, client_secret="another")
        with pytest.raises(AccessError, match="refuses the client: mend the secret") as raised:
            service.oauth2().query(None)
        assert_clean(raised.value)
        assert service.simulator.count("token") == 3  # each way once
        assert service.simulator.count("listing") == 0

    def test_an_api_that_refuses_every_token(self, service: ThriveService) -> None:
        service.simulator.behave(faults=(InjectedFault(status=401),))
        with pytest.raises(AccessError, match="mend the secret"):
            service.oauth2().query(None)
        assert service.simulator.count("listing") == 2

    def test_asks_for_the_scope_and_says_if_it_is_not_granted(self, service: ThriveService) -> None:
        service.simulator.behave(scopes=frozenset({"api/write"}))
        with pytest.raises(AccessError, match="api/read"):
            service.oauth2().query(None)
        assert service.simulator.count("token") == 1
        assert service.client_secret.reads == 0

    @pytest.mark.parametrize("scope", [Scope.WRITE, Scope.WEBHOOKS])
    def test_a_scope_that_does_not_include_reading(
        self, service: ThriveService, scope: Scope
    ) -> None:
        with pytest.raises(AccessError, match=f"403.*scope {scope}"):
            service.oauth2(scope).query(None)
        assert service.simulator.count("listing") == 1

    @pytest.mark.parametrize("scope", [Scope.READ, Scope.ALL])
    def test_a_scope_that_does(self, service: ThriveService, scope: Scope) -> None:
        assert service.oauth2(scope).query(None).total == 50

    def test_a_tenant_that_is_not_there(self, service: ThriveService) -> None:
        service.simulator.credentials = replace(SECRETS, tenant_id="eu-west-2_Another")
        with pytest.raises(AccessError, match=r"404.*tenant ID"):
            service.oauth2().query(None)

    @pytest.mark.parametrize(
        "fault",
        [
            InjectedFault(on="token", kind="html"),
            InjectedFault(on="token", kind="truncated"),
            InjectedFault(on="token", kind="raw", body='{"access_token": ""}'),
            InjectedFault(on="token", kind="raw", body="[]"),
            InjectedFault(on="token", status=302, location="https://example.org/"),
            InjectedFault(on="token", status=403),
        ],
        ids=["html", "truncated", "empty", "list", "redirect", "forbidden"],
    )
    def test_an_endpoint_that_gives_no_token_spoils_no_page(
        self, service: ThriveService, fault: InjectedFault
    ) -> None:
        service.simulator.behave(faults=(fault,))
        with pytest.raises(AccessError) as raised:
            service.oauth2().query(None)
        assert_clean(raised.value)
        assert service.simulator.count() == 1

    def test_an_endpoint_that_does_not_say_how_long_a_token_lives(
        self, service: ThriveService
    ) -> None:
        token = '{"access_token": "t", "token_type": "Bearer"}'
        service.simulator.behave(faults=(InjectedFault(on="token", kind="raw", body=token),))
        tokens = service.tokens()
        assert tokens.authorization() == "Bearer t"
        service.clock.sleep(3500)
        tokens.authorization()
        assert service.simulator.count("token") == 1

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_an_outage_of_the_endpoint_is_waited_out(
        self, service: ThriveService, status: int
    ) -> None:
        service.simulator.behave(faults=(InjectedFault(on="token", status=status, times=2),))
        assert service.oauth2().query(None).total == 50
        assert len(service.clock.waits) == 2

    def test_threads_share_a_token(self, service: ThriveService) -> None:
        tokens = service.tokens()
        headers: list[str] = []
        threads = [
            threading.Thread(target=lambda: headers.append(tokens.authorization()))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(headers) == 8
        assert len(set(headers)) == 1
        assert service.simulator.count("token") == 1

    def test_threads_whose_token_was_refused_share_the_next(self, service: ThriveService) -> None:
        tokens = service.tokens()
        refused = tokens.authorization()
        assert tokens.renewed(refused) == tokens.renewed(refused) != refused
        assert service.simulator.count("token") == 2
