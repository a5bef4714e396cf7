-- What programs state of themselves, and the tables that people query by the names they know.
--
-- As in 0001: decimals are numeric and exact, times whole nanoseconds UTC, NULL is unknown, every row carries its seq.
-- The columns of the first four tables are the fields of trueup.model.statements.

CREATE TABLE book_portfolio (
    ledger integer PRIMARY KEY REFERENCES ledgers (id),
    seq bigint NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    saved_at bigint NOT NULL,
    author text NOT NULL,
    initial_capital numeric,
    closed_equity numeric,
    total_risk_amount numeric,
    total_risk_percent numeric,
    total_vol_amount numeric,
    margin_used numeric
);

CREATE TABLE book_pyramids (
    ledger integer NOT NULL REFERENCES ledgers (id),
    seq bigint NOT NULL,
    instrument text NOT NULL CHECK (instrument <> ''),
    version bigint NOT NULL CHECK (version > 0),
    saved_at bigint NOT NULL,
    author text NOT NULL,
    last_pyramid_price numeric,
    base_position text,
    PRIMARY KEY (ledger, instrument)
);

CREATE TABLE book_details (
    ledger integer NOT NULL REFERENCES ledgers (id),
    seq bigint NOT NULL,
    position_id text NOT NULL CHECK (position_id <> ''),
    instrument text NOT NULL,
    position_side text NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    saved_at bigint NOT NULL,
    author text NOT NULL,
    is_base_position boolean,
    lots numeric,
    leverage numeric,
    liquidation_price numeric,
    initial_stop numeric,
    current_stop numeric,
    highest_close numeric,
    atr numeric,
    limiter text,
    risk_contribution numeric,
    vol_contribution numeric,
    contract_month text,
    expiry text,
    futures_symbol text,
    futures_order_id text,
    strike numeric,
    pe_symbol text,
    ce_symbol text,
    pe_entry_price numeric,
    ce_entry_price numeric,
    pe_order_id text,
    ce_order_id text,
    rollover_status text,
    rollover_count bigint,
    rolled_at bigint,
    rollover_pnl numeric,
    original_expiry text,
    original_strike numeric,
    original_entry_price numeric,
    source text,
    reference_id text,
    PRIMARY KEY (ledger, position_id)
);

CREATE INDEX details_of_a_position ON book_details (ledger, instrument, position_side, position_id);

CREATE TABLE book_signals (
    ledger integer NOT NULL REFERENCES ledgers (id),
    seq bigint NOT NULL,
    fingerprint text NOT NULL CHECK (fingerprint <> ''),
    instrument text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('BASE_ENTRY', 'PYRAMID', 'EXIT')),
    received_at bigint NOT NULL,
    made_at bigint,
    strategy text NOT NULL,
    direction text NOT NULL,
    strength numeric,
    payload jsonb NOT NULL,
    source text NOT NULL,
    status text CHECK (status IN ('EXECUTED', 'REJECTED', 'FAILED', 'EXPIRED')),
    processed_at bigint,
    processed_by text,
    reason text,
    details jsonb,
    PRIMARY KEY (ledger, fingerprint)
);

CREATE INDEX signals_of_an_instrument ON book_signals (instrument, received_at);
CREATE INDEX signals_waiting ON book_signals (received_at) WHERE status IS NULL;

-- The newest outcome of a comparison with the venue.
CREATE TABLE book_comparisons (
    ledger integer PRIMARY KEY REFERENCES ledgers (id),
    seq bigint NOT NULL,
    status text NOT NULL,
    cut bigint
);

-- Processes that work with this database: operational, not derived from any journal.
CREATE TABLE instances (
    instance_id text PRIMARY KEY,
    host text NOT NULL,
    pid bigint NOT NULL,
    version text NOT NULL,
    started_at bigint NOT NULL,
    heartbeat_at bigint NOT NULL CHECK (heartbeat_at >= started_at),
    is_leader boolean NOT NULL
);


-- --- For people with a SQL prompt. The program does not read these. Times are cut to microseconds. ---

CREATE FUNCTION moment(nanoseconds bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT timestamptz 'epoch' + (nanoseconds / 1000) * interval '1 microsecond'
$$;

CREATE VIEW positions AS
SELECT held.instrument AS asset,
       held.entry_price,
       mark.price AS current_price,
       held.quantity AS size,
       coalesce(held.leverage,
                (SELECT stated.leverage FROM book_details AS stated
                 WHERE stated.ledger = held.ledger AND stated.instrument = held.instrument
                   AND stated.position_side = held.position_side AND stated.leverage IS NOT NULL
                 ORDER BY stated.seq DESC LIMIT 1)) AS leverage,
       split_part(ledgers.name, ':', 1) AS venue,
       (SELECT stated.liquidation_price FROM book_details AS stated
        WHERE stated.ledger = held.ledger AND stated.instrument = held.instrument
          AND stated.position_side = held.position_side AND stated.liquidation_price IS NOT NULL
        ORDER BY stated.seq DESC LIMIT 1) AS liquidation_price,
       moment(coalesce(held.opened_at, last.opened_at)) AS opened_at,
       CASE WHEN held.quantity = 0 THEN moment(last.closed_at) END AS closed_at,
       moment(held.updated_at) AS updated_at,
       moment(compared.cut) AS last_reconciled_at,
       CASE WHEN held.quantity <> 0 THEN 'OPEN' WHEN last.liquidated THEN 'LIQUIDATED' ELSE 'CLOSED' END AS status,
       ledgers.name AS account,
       held.position_side,
       held.realized_pnl,
       held.seq,
       held.version
FROM book_positions AS held
JOIN ledgers ON ledgers.id = held.ledger
LEFT JOIN book_cycles AS last
       ON last.ledger = held.ledger AND last.instrument = held.instrument
      AND last.position_side = held.position_side AND last.number = held.cycles
LEFT JOIN book_marks AS mark ON mark.ledger = held.ledger AND mark.instrument = held.instrument
LEFT JOIN book_comparisons AS compared ON compared.ledger = held.ledger
WHERE held.quantity <> 0 OR held.cycles > 0
ORDER BY ledgers.name COLLATE "C", held.instrument COLLATE "C", held.position_side;

CREATE VIEW position_history AS
WITH trips AS (
    SELECT ledger, instrument, position_side, number, side, opened_at, closed_at, liquidated, quantity, realized_pnl,
           fees, funding
    FROM book_cycles
    UNION ALL
    SELECT ledger, instrument, position_side, cycles + 1, CASE WHEN quantity < 0 THEN 'short' ELSE 'long' END,
           opened_at, NULL, false, NULL, NULL, NULL, NULL
    FROM book_positions WHERE quantity <> 0
), happened AS (
    SELECT trips.*, 'OPENED' AS event_type, opened_at AS at, NULL::jsonb AS old_values,
           jsonb_build_object('status', 'OPEN', 'side', side) AS new_values
    FROM trips
    UNION ALL
    SELECT trips.*, CASE WHEN liquidated THEN 'LIQUIDATED' ELSE 'CLOSED' END, closed_at,
           jsonb_build_object('status', 'OPEN', 'side', side, 'largest_size', quantity::text),
           jsonb_build_object('status', CASE WHEN liquidated THEN 'LIQUIDATED' ELSE 'CLOSED' END, 'size', '0',
                              'realized_pnl', realized_pnl::text, 'fees', fees, 'funding', funding)
    FROM trips WHERE closed_at IS NOT NULL
)
SELECT name || '/' || instrument || ':' || position_side || '#' || number || '-' || event_type AS id,
       instrument AS asset, event_type, old_values, new_values, moment(at) AS timestamp,
       name AS account, position_side, number
FROM happened
JOIN ledgers ON ledgers.id = happened.ledger
ORDER BY at, name COLLATE "C", instrument COLLATE "C", position_side, number, event_type = 'OPENED' DESC;

CREATE VIEW portfolio_positions AS
WITH parts AS (
    -- The part that nobody ordered through us goes by the instrument's name.
    SELECT ledger, instrument, position_side,
           CASE WHEN part.key <> 'external' THEN part.key WHEN position_side = 'net' THEN instrument
                ELSE instrument || ':' || position_side END AS position_id,
           (part.value ->> 'quantity')::numeric AS quantity, (part.value ->> 'entry_price')::numeric AS entry_price,
           (part.value ->> 'realized_pnl')::numeric AS realized_pnl, updated_at
    FROM book_positions
    CROSS JOIN jsonb_each(strategies) AS part
)
SELECT position_id,
       ledgers.name AS account,
       instrument,
       position_side,
       CASE WHEN parts.quantity <> 0 THEN 'OPEN' ELSE 'CLOSED' END AS status,
       coalesce(parts.quantity, 0) AS quantity,
       parts.entry_price,
       parts.realized_pnl,
       stated.is_base_position,
       stated.lots, stated.leverage, stated.liquidation_price, stated.initial_stop, stated.current_stop,
       stated.highest_close, stated.atr, stated.limiter, stated.risk_contribution, stated.vol_contribution,
       stated.contract_month, stated.expiry, stated.futures_symbol, stated.futures_order_id,
       stated.strike, stated.pe_symbol, stated.ce_symbol, stated.pe_entry_price, stated.ce_entry_price,
       stated.pe_order_id, stated.ce_order_id,
       stated.rollover_status, stated.rollover_count, moment(stated.rolled_at) AS rolled_at,
       stated.rollover_pnl, stated.original_expiry, stated.original_strike, stated.original_entry_price,
       stated.source, stated.reference_id,
       coalesce(stated.version, 0) AS version,
       moment(greatest(parts.updated_at, stated.saved_at)) AS updated_at
FROM parts
FULL JOIN book_details AS stated USING (ledger, instrument, position_side, position_id)
JOIN ledgers ON ledgers.id = ledger
ORDER BY ledgers.name COLLATE "C", instrument COLLATE "C", position_side, position_id COLLATE "C";

CREATE VIEW portfolio_state AS
SELECT initial_capital, closed_equity, total_risk_amount, total_risk_percent, total_vol_amount, margin_used, version,
       moment(saved_at) AS updated_at, author AS updated_by
FROM book_portfolio;

CREATE VIEW pyramiding_state AS
SELECT instrument, last_pyramid_price, base_position, version, moment(saved_at) AS updated_at, author AS updated_by,
       ledgers.name AS account
FROM book_pyramids
JOIN ledgers ON ledgers.id = ledger
ORDER BY instrument COLLATE "C", ledgers.name COLLATE "C";

CREATE VIEW signal_log AS
SELECT fingerprint, strategy, instrument, kind, direction, strength, moment(made_at) AS signal_time,
       moment(received_at) AS received_at, payload, coalesce(status, 'WAITING') AS status,
       moment(processed_at) AS processed_at, processed_by, reason, details, source, seq
FROM book_signals
ORDER BY received_at, fingerprint COLLATE "C";

CREATE VIEW instance_metadata AS
SELECT instance_id, host, pid, version, moment(started_at) AS started_at, moment(heartbeat_at) AS last_heartbeat,
       is_leader
FROM instances
ORDER BY instance_id COLLATE "C";
