"""Funding (``userFunding``) and every other movement of money (``userNonFundingLedgerUpdates``).

A movement of a kind that is not listed here is refused by name, never guessed; what goes from one account to another
needs the account's own address to have a direction.

Identity: ``<hash>:<leg>``, or ``<time>:<leg>:<currency>`` where the hash is all zero. Movements that share an identity
but not their terms get weak ones. Funding has no hash in the feed and a zero one in answers, and a coin may be paid
twice at one time, so it goes by ``<time>:<coin>:<amount>``: that hangs on the row alone, so whichever of the two an
answer holds, and whichever answer comes first, each is booked once. Of rows that the venue joined into one
(``nSamples``) there is one a time and coin, so they go by ``<time>:<coin>``, and a joined row that grew is a conflict.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from trueup.model.errors import BadInput
from trueup.model.events import FeeCharged, FundingPaid, LiquidationFlagged, TransferBooked
from trueup.model.facts import fact_key, order_key, terms
from trueup.model.instruments import Instrument, wallet_currency
from trueup.model.numbers import canonical
from trueup.model.times import NS_PER_MS
from trueup.ports import Refused
from trueup.venues import rows
from trueup.venues.hyperliquid.context import Context
from trueup.venues.hyperliquid.meta import SPOT_WALLET, USDC
from trueup.venues.rows import Row, WeakIds

LedgerFact = FundingPaid | TransferBooked | FeeCharged | LiquidationFlagged


def read_ledger(
    context: Context, items: Sequence[object]
) -> tuple[Sequence[LedgerFact], Sequence[Instrument], Sequence[Refused]]:
    """Funding and movements of money, the instruments they name, and what was refused."""
    if not context.address:
        context = msgspec.structs.replace(context, address=_own_address(items))
    instruments: dict[str, Instrument] = {}

    def read(row: Row) -> Sequence[LedgerFact]:
        delta = rows.record(row, "delta") if "delta" in row else row
        kind = rows.text(delta, "type") if "type" in delta or "delta" in row else "funding"
        return _KINDS.get(kind, _unknown)(_Entry(context, row, delta, instruments))

    facts, refused = rows.read_each(context.name, items, read)
    named = _told_apart(fact for legs in facts for fact in legs)
    return sorted(named, key=order_key), list(instruments.values()), refused


class _Entry:
    """One row: its time and identity, and the facts that can be made of it."""

    def __init__(self, context: Context, row: Row, delta: Row, instruments: dict[str, Instrument]) -> None:
        self.context = context
        self.delta = delta
        self.time = rows.milliseconds(row, "time")
        self._hash = rows.optional_text(row, "hash")
        self._instruments = instruments

    def identity(self, leg: str, what: str) -> str:
        if self._hash.strip("0x"):
            return f"{self._hash}:{leg}"
        return f"{self.time // NS_PER_MS}:{leg}:{what}"

    def instrument(self, coin: str) -> Instrument:
        instrument = self.context.symbols.instrument(coin)
        self._instruments[instrument.symbol] = instrument
        return instrument

    def amount(self, field: str) -> Decimal:
        """A size without a sign: the kind of the movement says which way it went."""
        amount = rows.decimal(self.delta, field)
        if amount < 0:
            raise BadInput(field, amount, "negative", remedy="Check the row at its source.")
        return amount

    def transfer(self, leg: str, amount: Decimal, currency: str, reason: str) -> TransferBooked:
        return TransferBooked(
            self.context.account, amount, currency, self.time, self.identity(leg, currency), reason=reason
        )

    def fees(self, wallet: str, reason: str) -> Sequence[FeeCharged]:
        """What the sender paid on top, in the fee's currency and in the coin sent."""
        fee_currency = rows.optional_text(self.delta, "feeToken") or USDC
        asked = (("fee", fee_currency), ("nativeTokenFee", rows.optional_text(self.delta, "token")))
        return [
            self._fee(field, amount, wallet_currency(currency, wallet), reason)
            for field, currency in asked
            if (amount := rows.optional_decimal(self.delta, field))
        ]

    def _fee(self, leg: str, amount: Decimal, currency: str, reason: str) -> FeeCharged:
        return FeeCharged(
            self.context.account, amount, currency, self.time, self.identity(leg, currency), reason=reason
        )

    def sent_and_received(self) -> tuple[bool, bool]:
        """Whether it left the account, and whether it came to it; both for a transfer to itself."""
        own = self.context.address
        sender, receiver = (rows.text(self.delta, field).lower() for field in ("user", "destination"))
        if own in {sender, receiver}:
            return own == sender, own == receiver
        raise BadInput(
            "user",
            sender,
            f"neither it nor {receiver} is known to be this account" if own else "the direction is unknown",
            remedy="Give the account's own address, or an answer saved together with its request.",
        )


# --- kinds of movements -----------------------------------------------------------------------------------------------


def _funding(entry: _Entry) -> Sequence[LedgerFact]:
    coin, amount = rows.text(entry.delta, "coin"), rows.decimal(entry.delta, "usdc")
    instrument = entry.instrument(coin)
    identity = f"{entry.time // NS_PER_MS}:{coin}"
    return [
        FundingPaid(
            account=entry.context.account,
            instrument=instrument.symbol,
            amount=amount,
            currency=instrument.settle,
            venue_time=entry.time,
            venue_id=identity if _joined(entry.delta) else f"{identity}:{canonical(amount)}",
            rate=rows.optional_decimal(entry.delta, "fundingRate"),
        )
    ]


def _joined(delta: Row) -> bool:
    """Whether the row stands for several payments."""
    return delta.get("nSamples") is not None and rows.integer(delta, "nSamples") > 1


def _deposit(entry: _Entry) -> Sequence[LedgerFact]:
    return [entry.transfer("deposit", entry.amount("usdc"), USDC, "deposit")]


def _withdraw(entry: _Entry) -> Sequence[LedgerFact]:
    """``usdc`` is what arrives; the fee left the account besides."""
    return [entry.transfer("withdraw", -entry.amount("usdc"), USDC, "withdrawal"), *entry.fees("", "withdrawal")]


def _between_wallets(entry: _Entry) -> Sequence[LedgerFact]:
    amount = entry.amount("usdc")
    into_perp = amount if _said(entry.delta, "toPerp") else -amount
    return [
        entry.transfer("perp", into_perp, USDC, "internal"),
        entry.transfer("spot", -into_perp, wallet_currency(USDC, SPOT_WALLET), "internal"),
    ]


def _between_accounts(entry: _Entry) -> Sequence[LedgerFact]:
    """USDC from one account's main wallet to another's."""
    return _moved(entry, entry.amount("usdc"), USDC, "", "")


def _spot_between_accounts(entry: _Entry) -> Sequence[LedgerFact]:
    return _moved(entry, entry.amount("amount"), rows.text(entry.delta, "token"), SPOT_WALLET, SPOT_WALLET)


def _between_dexes(entry: _Entry) -> Sequence[LedgerFact]:
    source, target = (rows.optional_text(entry.delta, field) for field in ("sourceDex", "destinationDex"))
    return _moved(entry, entry.amount("amount"), rows.text(entry.delta, "token"), source, target)


def _moved(entry: _Entry, amount: Decimal, token: str, source: str, target: str) -> Sequence[LedgerFact]:
    sent, received = entry.sent_and_received()
    facts: list[LedgerFact] = []
    if sent:
        facts.append(entry.transfer("from", -amount, wallet_currency(token, source), "internal"))
        facts.extend(entry.fees(source, "transfer"))
    if received:
        facts.append(entry.transfer("to", amount, wallet_currency(token, target), "internal"))
    return facts


def _into_vault(entry: _Entry) -> Sequence[LedgerFact]:
    _check_not_the_vault(entry)
    return [entry.transfer("vault", -entry.amount("usdc"), USDC, "vault"), *entry.fees("", "vault")]


def _out_of_vault(entry: _Entry) -> Sequence[LedgerFact]:
    _check_not_the_vault(entry)
    paid = "netWithdrawnUsd" if "netWithdrawnUsd" in entry.delta else "usdc"
    return [entry.transfer("vault", entry.amount(paid), USDC, "vault")]


def _check_not_the_vault(entry: _Entry) -> None:
    vault = rows.optional_text(entry.delta, "vault").lower()
    if vault and vault == entry.context.address:
        raise BadInput(
            "vault",
            vault,
            "this account is the vault itself, whose side of the movement the row does not state",
            remedy="Book what its depositors moved with the generic venue.",
        )


def _commission(entry: _Entry) -> Sequence[LedgerFact]:
    return [entry.transfer("commission", entry.amount("usdc"), USDC, "reward")]


def _reward(entry: _Entry) -> Sequence[LedgerFact]:
    """Claimed into the spot wallet when a token is named; older rows name none and mean the main wallet."""
    token = rows.optional_text(entry.delta, "token")
    currency = wallet_currency(token, SPOT_WALLET) if token else USDC
    return [entry.transfer("reward", entry.amount("amount"), currency, "reward")]


def _genesis(entry: _Entry) -> Sequence[LedgerFact]:
    currency = wallet_currency(rows.text(entry.delta, "token"), SPOT_WALLET)
    return [entry.transfer("genesis", rows.decimal(entry.delta, "amount"), currency, "genesis")]


def _staking(entry: _Entry) -> Sequence[LedgerFact]:
    amount = entry.amount("amount")
    currency = wallet_currency(rows.text(entry.delta, "token"), SPOT_WALLET)
    staked = _said(entry.delta, "isDeposit")
    return [entry.transfer("staking", -amount if staked else amount, currency, "staking")]


def _liquidation(entry: _Entry) -> Sequence[LedgerFact]:
    """A flag on each position that was liquidated; the forced trades come as fills."""
    leverage = rows.optional_text(entry.delta, "leverageType").lower()
    coins = [rows.text(rows.as_row(item), "coin") for item in rows.records(entry.delta, "liquidatedPositions")]
    return [
        LiquidationFlagged(
            account=entry.context.account,
            venue_time=entry.time,
            venue_id=entry.identity(coin or "account", "liquidation"),
            instrument=entry.instrument(coin).symbol if coin else "",
            reason=f"liquidation {leverage}".strip(),
        )
        for coin in coins or [""]
    ]


def _unknown(entry: _Entry) -> Sequence[LedgerFact]:
    raise BadInput(
        "type",
        rows.text(entry.delta, "type"),
        "a movement of this kind is not known",
        remedy="Book what it moved with the generic venue; the row is kept as it came.",
    )


_KINDS: Mapping[str, Callable[[_Entry], Sequence[LedgerFact]]] = {
    "funding": _funding,
    "deposit": _deposit,
    "withdraw": _withdraw,
    "accountClassTransfer": _between_wallets,
    "internalTransfer": _between_accounts,
    "subAccountTransfer": _between_accounts,
    "spotTransfer": _spot_between_accounts,
    "send": _between_dexes,
    "vaultCreate": _into_vault,
    "vaultDeposit": _into_vault,
    "vaultDistribution": _out_of_vault,
    "vaultWithdraw": _out_of_vault,
    "vaultLeaderCommission": _commission,
    "rewardsClaim": _reward,
    "spotGenesis": _genesis,
    "cStakingTransfer": _staking,
    "liquidation": _liquidation,
}


# --- identity and direction -------------------------------------------------------------------------------------------


def _said(delta: Row, field: str) -> bool:
    """A flag that decides a direction, so it must be there."""
    if delta.get(field) is None:
        raise BadInput(field, "", "missing", remedy="Save the whole answer as the venue gave it.")
    return rows.flag(delta, field, default=False)


def _own_address(items: Iterable[object]) -> str:
    """The one address that takes part in every transfer of this ledger, which is the account's; empty when unclear."""
    deltas = [item.get("delta") for item in items if isinstance(item, Mapping)]
    parties = [
        {str(delta["user"]).lower(), str(delta["destination"]).lower()}
        for delta in deltas
        if isinstance(delta, Mapping) and "user" in delta and "destination" in delta
    ]
    common = set.intersection(*parties) if parties else set()
    return common.pop() if len(common) == 1 else ""


def _told_apart(facts: Iterable[LedgerFact]) -> Sequence[LedgerFact]:
    """Facts of one identity and different terms get weak identities; repetitions of one fact stay what they are."""
    groups: defaultdict[str | None, list[LedgerFact]] = defaultdict(list)
    for fact in facts:
        groups[fact_key(fact)].append(fact)
    weak = WeakIds()
    told_apart: list[LedgerFact] = []
    for group in groups.values():
        clear = len({terms(fact) for fact in group}) == 1
        told_apart += [fact if clear or isinstance(fact, LiquidationFlagged) else weak.name(fact) for fact in group]
    return told_apart
