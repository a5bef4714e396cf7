-- What programs state of themselves, and the tables that people query by the names they know.
--
-- As in 0001: decimals are canonical text, times whole nanoseconds UTC, NULL is unknown, every row carries its seq.
-- The columns of the first four tables are the fields of trueup.model.statements, in their order.

CREATE TABLE book_portfolio (
    ledger INTEGER PRIMARY KEY REFERENCES ledgers (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    saved_at INTEGER NOT NULL,
    author TEXT NOT NULL,
    initial_capital TEXT,
    closed_equity TEXT,
    total_risk_amount TEXT,
    total_risk_percent TEXT,
    total_vol_amount TEXT,
    margin_used TEXT
) STRICT;

CREATE TABLE book_pyramids (
    ledger INTEGER NOT NULL REFERENCES ledgers (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    instrument TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    saved_at INTEGER NOT NULL,
    author TEXT NOT NULL,
    last_pyramid_price TEXT,
    base_position TEXT,
    PRIMARY KEY (ledger, instrument)
) STRICT, WITHOUT ROWID;

CREATE TABLE book_details (
    ledger INTEGER NOT NULL REFERENCES ledgers (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    position_id TEXT NOT NULL,
    instrument TEXT NOT NULL,
    position_side TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    saved_at INTEGER NOT NULL,
    author TEXT NOT NULL,
    is_base_position INTEGER CHECK (is_base_position IN (0, 1)),
    lots TEXT,
    leverage TEXT,
    liquidation_price TEXT,
    initial_stop TEXT,
    current_stop TEXT,
    highest_close TEXT,
    atr TEXT,
    limiter TEXT,
    risk_contribution TEXT,
    vol_contribution TEXT,
    contract_month TEXT,
    expiry TEXT,
    futures_symbol TEXT,
    futures_order_id TEXT,
    strike TEXT,
    pe_symbol TEXT,
    ce_symbol TEXT,
    pe_entry_price TEXT,
    ce_entry_price TEXT,
    pe_order_id TEXT,
    ce_order_id TEXT,
    rollover_status TEXT,
    rollover_count INTEGER,
    rolled_at INTEGER,
    rollover_pnl TEXT,
    original_expiry TEXT,
    original_strike TEXT,
    original_entry_price TEXT,
    source TEXT,
    reference_id TEXT,
    PRIMARY KEY (ledger, position_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX details_of_a_position ON book_details (ledger, instrument, position_side, position_id);

CREATE TABLE book_signals (
    ledger INTEGER NOT NULL REFERENCES ledgers (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    instrument TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('BASE_ENTRY', 'PYRAMID', 'EXIT')),
    received_at INTEGER NOT NULL,
    made_at INTEGER,
    strategy TEXT NOT NULL,
    direction TEXT NOT NULL,
    strength TEXT,
    payload TEXT NOT NULL CHECK (json_valid(payload)),
    source TEXT NOT NULL,
    status TEXT CHECK (status IN ('EXECUTED', 'REJECTED', 'FAILED', 'EXPIRED')),
    processed_at INTEGER,
    processed_by TEXT,
    reason TEXT,
    details TEXT CHECK (json_valid(details)),
    PRIMARY KEY (ledger, fingerprint)
) STRICT;

CREATE INDEX signals_of_an_instrument ON book_signals (instrument, received_at);
CREATE INDEX signals_waiting ON book_signals (received_at) WHERE status IS NULL;

-- The newest outcome of a comparison with the venue.
CREATE TABLE book_comparisons (
    ledger INTEGER PRIMARY KEY REFERENCES ledgers (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    status TEXT NOT NULL,
    cut INTEGER
) STRICT;

-- Processes that work with this database: operational, not derived from any journal.
CREATE TABLE instances (
    instance_id TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    version TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    heartbeat_at INTEGER NOT NULL CHECK (heartbeat_at >= started_at),
    is_leader INTEGER NOT NULL CHECK (is_leader IN (0, 1))
) STRICT, WITHOUT ROWID;


-- --- For people with a SQL prompt. The program does not read these. Times are RFC 3339 with nine digits. ---

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
       substr(ledgers.name, 1, instr(ledgers.name, ':') - 1) AS venue,
       (SELECT stated.liquidation_price FROM book_details AS stated
        WHERE stated.ledger = held.ledger AND stated.instrument = held.instrument
          AND stated.position_side = held.position_side AND stated.liquidation_price IS NOT NULL
        ORDER BY stated.seq DESC LIMIT 1) AS liquidation_price,
       strftime('%Y-%m-%dT%H:%M:%S', begun / 1000000000, 'unixepoch') || printf('.%09dZ', begun % 1000000000) AS opened_at,
       strftime('%Y-%m-%dT%H:%M:%S', ended / 1000000000, 'unixepoch') || printf('.%09dZ', ended % 1000000000) AS closed_at,
       strftime('%Y-%m-%dT%H:%M:%S', held.updated_at / 1000000000, 'unixepoch')
           || printf('.%09dZ', held.updated_at % 1000000000) AS updated_at,
       strftime('%Y-%m-%dT%H:%M:%S', compared.cut / 1000000000, 'unixepoch')
           || printf('.%09dZ', compared.cut % 1000000000) AS last_reconciled_at,
       held.status,
       ledgers.name AS account,
       held.position_side,
       held.realized_pnl,
       held.seq
FROM (SELECT book_positions.*,
             coalesce(book_positions.opened_at, last.opened_at) AS begun,
             CASE book_positions.quantity WHEN '0' THEN last.closed_at END AS ended,
             CASE WHEN book_positions.quantity <> '0' THEN 'OPEN' WHEN last.liquidated THEN 'LIQUIDATED' ELSE 'CLOSED' END AS status
      FROM book_positions
      LEFT JOIN book_cycles AS last
             ON last.ledger = book_positions.ledger AND last.instrument = book_positions.instrument
            AND last.position_side = book_positions.position_side AND last.number = book_positions.cycles
      WHERE book_positions.quantity <> '0' OR book_positions.cycles > 0) AS held
JOIN ledgers ON ledgers.id = held.ledger
LEFT JOIN book_marks AS mark ON mark.ledger = held.ledger AND mark.instrument = held.instrument
LEFT JOIN book_comparisons AS compared ON compared.ledger = held.ledger
ORDER BY ledgers.name, held.instrument, held.position_side;

CREATE VIEW position_history AS
WITH trips AS (
    SELECT ledger, instrument, position_side, number, side, opened_at, closed_at, liquidated, quantity, realized_pnl,
           fees, funding, seq
    FROM book_cycles
    UNION ALL
    SELECT ledger, instrument, position_side, cycles + 1, iif(quantity < '0', 'short', 'long'), opened_at, NULL, 0,
           NULL, NULL, NULL, NULL, seq
    FROM book_positions WHERE quantity <> '0'
), happened AS (
    SELECT *, 'OPENED' AS event_type, opened_at AS at, NULL AS old_values,
           json_object('status', 'OPEN', 'side', side) AS new_values
    FROM trips
    UNION ALL
    SELECT *, iif(liquidated, 'LIQUIDATED', 'CLOSED'), closed_at,
           json_object('status', 'OPEN', 'side', side, 'largest_size', quantity),
           json_object('status', iif(liquidated, 'LIQUIDATED', 'CLOSED'), 'size', '0', 'realized_pnl', realized_pnl,
                       'fees', json(fees), 'funding', json(funding))
    FROM trips WHERE closed_at IS NOT NULL
)
SELECT name || '/' || instrument || ':' || position_side || '#' || number || '-' || event_type AS id,
       instrument AS asset, event_type, old_values, new_values,
       strftime('%Y-%m-%dT%H:%M:%S', at / 1000000000, 'unixepoch') || printf('.%09dZ', at % 1000000000) AS timestamp,
       name AS account, position_side, number
FROM happened
JOIN ledgers ON ledgers.id = happened.ledger
ORDER BY at, account, asset, position_side, number, event_type = 'OPENED' DESC;

CREATE VIEW portfolio_positions AS
WITH parts AS (
    -- The part that nobody ordered through us goes by the instrument's name.
    SELECT book_positions.ledger, instrument, position_side,
           CASE WHEN part.key <> 'external' THEN part.key WHEN position_side = 'net' THEN instrument
                ELSE instrument || ':' || position_side END AS position_id,
           part.value ->> 'quantity' AS quantity, part.value ->> 'entry_price' AS entry_price,
           part.value ->> 'realized_pnl' AS realized_pnl, opened_at, updated_at
    FROM book_positions
    JOIN json_each(book_positions.strategies) AS part
)
SELECT position_id,
       ledgers.name AS account,
       instrument,
       position_side,
       CASE WHEN parts.quantity <> '0' THEN 'OPEN' ELSE 'CLOSED' END AS status,
       coalesce(parts.quantity, '0') AS quantity,
       parts.entry_price,
       parts.realized_pnl,
       stated.is_base_position,
       stated.lots, stated.leverage, stated.liquidation_price, stated.initial_stop, stated.current_stop,
       stated.highest_close, stated.atr, stated.limiter, stated.risk_contribution, stated.vol_contribution,
       stated.contract_month, stated.expiry, stated.futures_symbol, stated.futures_order_id,
       stated.strike, stated.pe_symbol, stated.ce_symbol, stated.pe_entry_price, stated.ce_entry_price,
       stated.pe_order_id, stated.ce_order_id,
       stated.rollover_status, stated.rollover_count,
       strftime('%Y-%m-%dT%H:%M:%S', stated.rolled_at / 1000000000, 'unixepoch')
           || printf('.%09dZ', stated.rolled_at % 1000000000) AS rolled_at,
       stated.rollover_pnl, stated.original_expiry, stated.original_strike, stated.original_entry_price,
       stated.source, stated.reference_id,
       coalesce(stated.version, 0) AS version,
       strftime('%Y-%m-%dT%H:%M:%S', max(coalesce(parts.updated_at, 0), coalesce(stated.saved_at, 0)) / 1000000000,
                'unixepoch')
           || printf('.%09dZ', max(coalesce(parts.updated_at, 0), coalesce(stated.saved_at, 0)) % 1000000000)
           AS updated_at
FROM parts
FULL JOIN book_details AS stated USING (ledger, instrument, position_side, position_id)
JOIN ledgers ON ledgers.id = ledger
ORDER BY account, instrument, position_side, position_id;

CREATE VIEW portfolio_state AS
SELECT initial_capital, closed_equity, total_risk_amount, total_risk_percent, total_vol_amount, margin_used, version,
       strftime('%Y-%m-%dT%H:%M:%S', saved_at / 1000000000, 'unixepoch') || printf('.%09dZ', saved_at % 1000000000)
           AS updated_at,
       author AS updated_by
FROM book_portfolio;

CREATE VIEW pyramiding_state AS
SELECT instrument, last_pyramid_price, base_position, version,
       strftime('%Y-%m-%dT%H:%M:%S', saved_at / 1000000000, 'unixepoch') || printf('.%09dZ', saved_at % 1000000000)
           AS updated_at,
       author AS updated_by, ledgers.name AS account
FROM book_pyramids
JOIN ledgers ON ledgers.id = ledger
ORDER BY instrument, account;

CREATE VIEW signal_log AS
SELECT fingerprint, strategy, instrument, kind, direction, strength,
       strftime('%Y-%m-%dT%H:%M:%S', made_at / 1000000000, 'unixepoch')
           || printf('.%09dZ', made_at % 1000000000) AS signal_time,
       strftime('%Y-%m-%dT%H:%M:%S', received_at / 1000000000, 'unixepoch')
           || printf('.%09dZ', received_at % 1000000000) AS received_at,
       payload,
       coalesce(status, 'WAITING') AS status,
       strftime('%Y-%m-%dT%H:%M:%S', processed_at / 1000000000, 'unixepoch')
           || printf('.%09dZ', processed_at % 1000000000) AS processed_at,
       processed_by, reason, details, source, seq
FROM book_signals
ORDER BY received_at, fingerprint;

CREATE VIEW instance_metadata AS
SELECT instance_id, host, pid, version,
       strftime('%Y-%m-%dT%H:%M:%S', started_at / 1000000000, 'unixepoch')
           || printf('.%09dZ', started_at % 1000000000) AS started_at,
       strftime('%Y-%m-%dT%H:%M:%S', heartbeat_at / 1000000000, 'unixepoch')
           || printf('.%09dZ', heartbeat_at % 1000000000) AS last_heartbeat,
       is_leader
FROM instances
ORDER BY instance_id;
