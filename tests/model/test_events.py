"""What stands in journals: tags are never reused, fields only ever appended, with defaults."""

from typing import get_args

import msgspec
import pytest

from trueup.model import events as e

FIELDS = {
    "instrument/1": "account instrument",
    "fill/1": "account instrument position_side side quantity price fee fee_currency venue_time venue_trade_id "
    "venue_order_id client_order_id strategy liquidity instrument_version venue_sequence fee_value settled_amount "
    "settled_currency start_position liquidation weak",
    "fee/1": "account amount currency venue_time venue_id instrument position_side reason weak",
    "funding/1": "account instrument amount currency venue_time venue_id position_side rate weak",
    "transfer/1": "account amount currency venue_time venue_id reason weak",
    "liquidation/1": "account venue_time venue_id instrument position_side reason",
    "split/1": "account instrument new old venue_time venue_id position_side quantity_after",
    "roll/1": "account roll_id near far strategy quantity near_price far_price near_basis venue_time position_side",
    "leverage/1": "account instrument leverage venue_time venue_id position_side",
    "margin_mode/1": "account instrument margin_mode venue_time venue_id position_side",
    "opening_position/1": "account instrument quantity venue_time opening_id position_side price instrument_version "
    "evidence",
    "opening_balance/1": "account currency amount venue_time opening_id evidence",
    "declared/1": "account instrument position_side side quantity price venue_time declaration_id author strategy "
    "instrument_version",
    "adjustment/1": "account adjustment_id venue_time cause evidence author instrument position_side quantity price "
    "currency cash instrument_version",
    "order/1": "account instrument side quantity filled status venue_order_id venue_time report_id client_order_id "
    "price trigger_price order_type reduce_only position_side venue_sequence",
    "declaration_matched/1": "account declaration_id fill_key quantity",
    "quarantined/1": "account key reason offered booked_seq source",
    "mark/1": "account instrument price venue_time source",
    "source/1": "account name sha256 kind rows refused",
    "cursor/1": "account cursor",
    "compared/1": "account status source cut compared counts breaks unlisted not_compared",
    "break/1": "account subject sort step at by note owner cause evidence level kind severity difference why rest "
    "worth",
    "corrected/1": "account subject sort at by cause entries adjusted adjustment",
    "proposed/1": "account subject sort at adjustment reason",
    "approved/1": "account adjustment_id by at",
    "restricted/1": "account at instruments reduce_only halted reasons",
    "assigned/1": "account instrument position_side since until strategy by at of",
    "runs/1": "account since until outcomes longest_ns",
    "report/1": "account day digest previous by at",
    "allocation/1": "account at reporting portfolio_value shares tolerance table",
    "portfolio_state/1": "account version saved_at author initial_capital closed_equity total_risk_amount "
    "total_risk_percent total_vol_amount margin_used",
    "pyramiding_state/1": "account instrument version saved_at author last_pyramid_price base_position",
    "position_details/1": "account position_id instrument position_side version saved_at author is_base_position lots "
    "leverage liquidation_price initial_stop current_stop highest_close atr limiter risk_contribution "
    "vol_contribution contract_month expiry futures_symbol futures_order_id strike pe_symbol ce_symbol "
    "pe_entry_price ce_entry_price pe_order_id ce_order_id rollover_status rollover_count rolled_at rollover_pnl "
    "original_expiry original_strike original_entry_price source reference_id",
    "signal/1": "account fingerprint instrument kind received_at made_at strategy direction strength payload source",
    "signal_processed/1": "account fingerprint status processed_at author reason details",
}
"""As journals in the world have them: a field may only be added at the end."""

KINDS = {kind.__struct_config__.tag: kind for kind in get_args(e.Event)}


def test_every_kind_of_event_has_a_tag_of_its_own() -> None:
    assert len(KINDS) == len(get_args(e.Event)) == len(FIELDS)
    assert set(get_args(e.Fact)) | set(get_args(e.Decision)) == set(KINDS.values())
    assert set(get_args(e.PositionFact)) < set(get_args(e.Fact))


@pytest.mark.parametrize("tag", FIELDS)
def test_fields_are_only_ever_appended_with_defaults(tag: str) -> None:
    fields = msgspec.structs.fields(KINDS[tag])
    recorded = FIELDS[tag].split()
    assert [field.encode_name for field in fields][: len(recorded)] == recorded
    assert not [field.name for field in fields[len(recorded) :] if field.required]


@pytest.mark.parametrize("tag", FIELDS)
def test_events_are_frozen_arrays_that_open_with_their_tag(tag: str) -> None:
    config = KINDS[tag].__struct_config__
    assert (config.frozen, config.array_like, config.tag) == (True, True, tag)
