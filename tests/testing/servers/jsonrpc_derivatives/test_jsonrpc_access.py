"""Who may ask, by which grant, for how long and how often; and in which forms a request may come."""

import httpx
import pytest

from tests.testing.servers.jsonrpc_derivatives.talk import (
    BTC,
    EVER,
    Json,
    Refused,
    Talk,
    rehearse,
    result,
    signature,
)
from trueup.testing.servers.jsonrpc_derivatives import world

SIGNED_FOR = "https://drb.coinbase.com/api/v2"


def test_deribits_grants_give_tokens_that_open_the_account() -> None:
    async def story(talk: Talk) -> None:
        row = await talk.log_in()
        assert row.keys() >= {"access_token", "refresh_token", "expires_in", "scope", "token_type"}
        assert (row["expires_in"], row["token_type"]) == (900, "bearer")
        refreshed = await talk.log_in(grant_type="refresh_token", refresh_token=row["refresh_token"])
        assert refreshed["access_token"] != row["access_token"]
        assert await talk.ask("private/get_positions") == []
        used = await talk.refusal("public/auth", grant_type="refresh_token", refresh_token=row["refresh_token"])
        assert used.code == 13009
        stamp = str(talk.now_ms)
        signed = {"client_id": world.CLIENT_ID, "timestamp": talk.now_ms, "nonce": "n", "data": "d"}
        await talk.log_in(
            grant_type="client_signature", signature=signature(world.CLIENT_SECRET, stamp, "n", "d"), **signed
        )
        assert await talk.ask("private/get_positions") == []
        wrong = await talk.refusal(
            "public/auth", grant_type="client_signature", signature=signature("other", stamp, "n", "d"), **signed
        )
        assert (wrong.status, wrong.code) == (400, 13004)

    rehearse(story)


def test_a_wrong_secret_an_old_signature_and_another_places_grant_are_refused() -> None:
    async def story(talk: Talk) -> None:
        for changed in ({"client_secret": "wrong"}, {"client_id": "nobody"}):
            assert (await talk.refusal("public/auth", **(talk.grant() | changed))).code == 13004
        old = str(talk.now_ms - 61_000)
        late = await talk.refusal(
            "public/auth",
            grant_type="client_signature",
            client_id=world.CLIENT_ID,
            timestamp=old,
            nonce="n",
            signature=signature(world.CLIENT_SECRET, old, "n", ""),
        )
        assert late.code == 13004
        other = await talk.refusal("public/auth", grant_type="coinbase_cdp", token=talk.jwt())
        assert (other.code, other.data["param"]) == (-32602, "grant_type")

    rehearse(story)


def test_the_gateway_takes_a_token_of_a_cdp_key_and_nothing_else() -> None:
    async def story(talk: Talk) -> None:
        row = await talk.log_in()
        assert (row["expires_in"], "refresh_token" in row) == (3_600, False)
        assert await talk.ask("private/get_positions") == []
        await talk.log_in(token=talk.jwt(uri=f"POST {talk.http.base_url.netloc.decode()}/api/v2/public/auth"))
        now = talk.now_ms // 1_000
        for token in (
            talk.jwt(seed=32 * b"\x44"),
            talk.jwt(key="organizations/other/apiKeys/other"),
            talk.jwt(iss="me"),
            talk.jwt(exp=now + 121),
            talk.jwt(nbf=now - 130, exp=now - 10),
            talk.jwt(uri="GET drb.coinbase.com/api/v2/private/get_positions"),
            "nonsense",
        ):
            assert (await talk.refusal("public/auth", grant_type="coinbase_cdp", token=token)).code == 13004
        other = await talk.refusal("public/auth", grant_type="client_credentials", client_id="a", client_secret="b")
        assert other.code == -32602

    rehearse(story, account=world.GATEWAY)


def test_a_body_may_hold_the_parameters_alone_where_the_path_names_the_method() -> None:
    async def story(talk: Talk) -> None:
        row = result(await talk.post(talk.grant(), "/api/v2/public/auth"))
        assert row["token_type"] == "bearer"

    rehearse(story, account=world.GATEWAY)


def test_a_token_ends_and_without_one_nothing_private_is_told() -> None:
    async def story(talk: Talk) -> None:
        talk.clock.pass_ms(899_000)
        assert await talk.ask("private/get_positions") == []
        talk.clock.pass_ms(1_000)
        ended = await talk.refusal("private/get_positions")
        assert (ended.status, ended.code, ended.message) == (400, 13009, "unauthorized")
        await talk.log_in()
        assert await talk.ask("private/get_positions") == []
        talk.token = ""
        assert (await talk.refusal("private/get_positions")).code == 13009
        assert (await talk.refusal("private/get_positions", access_token="made.up")).code == 13009

    rehearse(story)


def test_a_key_opens_its_own_account_alone() -> None:
    async def story(talk: Talk) -> None:
        await talk.order("buy", "0.1", label="mine")
        mine = await talk.ask("private/get_account_summaries", extended=True)
        await talk.log_in(client_id=world.OTHER_ID, client_secret=world.OTHER_SECRET)
        theirs = await talk.ask("private/get_account_summaries", extended=True)
        assert theirs["id"] != mine["id"]
        assert [row["equity"] for row in theirs["summaries"]] == [0] * len(theirs["summaries"])
        assert await talk.ask("private/get_positions") == []
        assert (await talk.ask("private/get_user_trades_by_currency", currency="USDC"))["trades"] == []

    rehearse(story)


def test_a_token_of_a_connection_is_good_for_that_alone_and_one_of_a_session_for_all() -> None:
    async def story(talk: Talk) -> None:
        async with talk.listening() as stream:
            own = await stream.ask("public/auth", **talk.grant())
            shared = await stream.ask("public/auth", scope="session:mine", **talk.grant())
            assert own["scope"].split()[0] == "connection"
            assert shared["scope"].split()[0] == "session:mine"
            assert await stream.ask("private/get_positions", access_token=own["access_token"]) == []
            talk.token = shared["access_token"]
            assert await talk.ask("private/get_positions") == []
            talk.token = own["access_token"]
            assert (await talk.refusal("private/get_positions")).code == 13009

    rehearse(story)


def test_a_key_that_only_reads_gives_no_orders() -> None:
    async def story(talk: Talk) -> None:
        reading = {"client_id": world.READING_ID, "client_secret": world.READING_SECRET}
        row = await talk.log_in(**reading)
        assert "trade:read_write" not in row["scope"].split()
        assert await talk.ask("private/get_positions") == []
        for method in ("private/buy", "private/cancel", "private/close_position"):
            assert (await talk.refusal(method, instrument_name=BTC, amount=0.1, type="market")).code == 13021

    rehearse(story)


def test_a_request_may_be_a_query_and_signed_by_its_header() -> None:
    async def story(talk: Talk) -> None:
        address = "/api/v2/private/get_positions?currency=USDC&kind=future"

        async def ask(secret: str, stamp: str) -> Json:
            made = signature(secret, stamp, "1", f"GET\n{address}\n\n")
            header = f"deri-hmac-sha256 id={world.CLIENT_ID},ts={stamp},sig={made},nonce=1"
            return result(await talk.http.get(address, headers={"authorization": header}))

        assert await ask(world.CLIENT_SECRET, str(talk.now_ms)) == []
        for secret, stamp in (("wrong", str(talk.now_ms)), (world.CLIENT_SECRET, "1")):
            with pytest.raises(Refused) as refused:
                await ask(secret, stamp)
            assert refused.value.code == 13004
        time = result(await talk.http.get("/api/v2/public/get_time"))
        assert time == talk.now_ms

    rehearse(story)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"[]", -32600),
        (b"{}", -32600),
        (b'{"method": 1}', -32600),
        (b'{"method": "public/test", "params": []}', None),
        (b'{"method": "public/test", "params": [1]}', -32600),
        (b'{"method": "public/nothing"}', -32601),
        (b'{"method": "private/subscribe", "params": {"channels": []}}', 10030),
        (b'{"method": "public/get_instrument"}', -32602),
        (b'{"method": "public/get_instrument", "params": {"instrument_name": "BTC-1JAN30-1-C"}}', 13020),
        (b'{"method": "public/get_instruments", "params": {"currency": "XYZ"}}', -32602),
        (b'{"method": "public/get_instruments", "params": {"kind": "bond"}}', -32602),
    ],
)
def test_what_is_no_request_is_an_error_of_json_rpc(body: bytes, code: int | None) -> None:
    async def story(talk: Talk) -> None:
        if code is None:
            assert result(await talk.post(body))["version"]
            return
        with pytest.raises(Refused) as refused:
            result(await talk.post(body))
        assert (refused.value.status, refused.value.code) == (400, code)

    rehearse(story)


def test_elsewhere_nothing_is_served() -> None:
    async def story(talk: Talk) -> None:
        assert (await talk.http.get("/api/v1/public/get_time")).status_code == httpx.codes.NOT_FOUND
        assert (await talk.http.delete("/api/v2")).status_code == httpx.codes.METHOD_NOT_ALLOWED

    rehearse(story)


def test_an_answer_repeats_the_requests_id_whatever_it_is() -> None:
    async def story(talk: Talk) -> None:
        for request_id in (0, "a", 1 << 60):
            answer = await talk.post({"jsonrpc": "2.0", "id": request_id, "method": "public/test"})
            assert answer.json()["id"] == request_id
        assert "id" not in (await talk.http.get("/api/v2/public/test")).json()

    rehearse(story)


def test_requests_cost_credits_which_come_back() -> None:
    async def story(talk: Talk) -> None:
        for _ in range(20):
            await talk.order("buy", "0.001")
        over = await talk.refusal("private/buy", instrument_name=BTC, amount=0.001, type="market")
        assert (over.status, over.code, over.message) == (400, 10028, "too_many_requests")
        assert len(await talk.ask("private/get_positions")) == 1, "reads have credits of their own"
        talk.clock.pass_ms(200)
        await talk.order("buy", "0.001")
        for _ in range(8):
            await talk.ask("private/get_transaction_log", currency="USDC", **EVER)
        assert (await talk.refusal("private/get_transaction_log", currency="USDC", **EVER)).code == 10028
        talk.clock.pass_ms(1_000)
        await talk.ask("private/get_transaction_log", currency="USDC", **EVER)

    rehearse(story, limited=True)


def test_whoever_has_no_credits_left_is_hung_up_on() -> None:
    async def story(talk: Talk) -> None:
        async with talk.listening() as stream:
            for _ in range(100):
                await stream.ask("public/test")
            with pytest.raises(Refused) as refused:
                await stream.ask("public/test")
            assert refused.value.code == 10028
            await stream.connection.wait_closed()

    rehearse(story, limited=True)
