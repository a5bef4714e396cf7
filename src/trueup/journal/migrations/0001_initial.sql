-- The views: everything here is derived from the journals and may be rebuilt from them at any time.
--
-- Decimals are canonical text ('1.5', never '1.50' or '15e-1'), times whole nanoseconds UTC, mappings JSON objects.
-- NULL is unknown, '0' is known zero. Every row carries the seq of its ledger at which it became true.
-- JSON comes last in a row: what does not fit a page is then text whose damage cannot be mistaken for a number.

-- Counts the transactions, so that a database file can be told from a write-ahead log that has lost its end.
CREATE TABLE transactions (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    number INTEGER NOT NULL
) STRICT;

INSERT INTO transactions VALUES (1, 0);

CREATE TABLE ledgers (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    applied INTEGER NOT NULL CHECK (applied > 0),
    head BLOB NOT NULL CHECK (length(head) = 32),
    recorded_at INTEGER NOT NULL
) STRICT;

-- The second copy of the log. Bodies are long, so the rows have rowids and only the index is searched.
CREATE TABLE frames (
    ledger INTEGER NOT NULL REFERENCES ledgers (id) ON DELETE CASCADE,
    first INTEGER NOT NULL CHECK (first > 0),
    count INTEGER NOT NULL CHECK (count > 0),
    recorded_at INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    synced INTEGER NOT NULL,
    previous BLOB NOT NULL CHECK (length(previous) = 32),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    body BLOB NOT NULL,
    PRIMARY KEY (ledger, first)
) STRICT;

-- No two facts of a ledger share an identity: the second net under the exact dedupe of the writer.
CREATE TABLE fact_keys (
    ledger INTEGER NOT NULL REFERENCES ledgers (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (ledger, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE instruments (
    ledger INTEGER NOT NULL REFERENCES ledgers (id) ON DELETE CASCADE,
    symbol TEXT NOT NULL,
    version INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    native_symbol TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('spot', 'linear', 'inverse', 'quanto')),
    base TEXT NOT NULL,
    quote TEXT NOT NULL,
    settle TEXT NOT NULL,
    contract_size TEXT NOT NULL,
    price_tick TEXT,
    quantity_step TEXT,
    effective_from INTEGER NOT NULL,
    expiry INTEGER,
    max_leverage TEXT,
    wallet TEXT NOT NULL,
    PRIMARY KEY (ledger, symbol, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE book_positions (
    ledger INTEGER NOT NULL REFERENCES ledgers (id) ON DELETE CASCADE,
    instrument TEXT NOT NULL,
    position_side TEXT NOT NULL,
    seq INTEGER NOT NULL,
    instrument_version INTEGER NOT NULL,
    quantity TEXT NOT NULL,
    cost TEXT,
    entry_price TEXT, -- computed when written, so that people need not
    realized_pnl TEXT NOT NULL,
    realized_unknown INTEGER NOT NULL,
    adjusted_pnl TEXT NOT NULL,
    fee_value TEXT,
    unconfirmed TEXT NOT NULL,
    leverage TEXT,
    margin_mode TEXT,
    opened_at INTEGER,
    updated_at INTEGER NOT NULL,
    cycles INTEGER NOT NULL,
    liquidations INTEGER NOT NULL,
    fees TEXT NOT NULL,
    funding TEXT NOT NULL,
    strategies TEXT NOT NULL,
    PRIMARY KEY (ledger, instrument, position_side),
    FOREIGN KEY (ledger, instrument, instrument_version) REFERENCES instruments (ledger, symbol, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE book_cycles (
    ledger INTEGER NOT NULL REFERENCES ledgers (id) ON DELETE CASCADE,
    instrument TEXT NOT NULL,
    position_side TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number > 0),
    seq INTEGER NOT NULL,
    side TEXT NOT NULL,
    quantity TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    closed_at INTEGER NOT NULL,
    realized_pnl TEXT,
    liquidated INTEGER NOT NULL CHECK (liquidated IN (0, 1)),
    fees TEXT NOT NULL,
    funding TEXT NOT NULL,
    PRIMARY KEY (ledger, instrument, position_side, number)
) STRICT, WITHOUT ROWID;

-- The newest sampled mark of each instrument.
CREATE TABLE book_marks (
    ledger INTEGER NOT NULL REFERENCES ledgers (id) ON DELETE CASCADE,
    instrument TEXT NOT NULL,
    seq INTEGER NOT NULL,
    price TEXT NOT NULL,
    venue_time INTEGER NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (ledger, instrument)
) STRICT, WITHOUT ROWID;

CREATE TABLE balances (
    ledger INTEGER NOT NULL REFERENCES ledgers (id) ON DELETE CASCADE,
    currency TEXT NOT NULL,
    seq INTEGER NOT NULL,
    total TEXT, -- the sum of the parts, computed when written
    traded TEXT NOT NULL,
    realized TEXT NOT NULL,
    fees TEXT NOT NULL,
    funding TEXT NOT NULL,
    adjustments TEXT NOT NULL,
    opening TEXT NOT NULL,
    realized_unknown INTEGER NOT NULL,
    transfers TEXT NOT NULL,
    PRIMARY KEY (ledger, currency)
) STRICT, WITHOUT ROWID;

CREATE TABLE orders (
    ledger INTEGER NOT NULL REFERENCES ledgers (id) ON DELETE CASCADE,
    venue_order_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    client_order_id TEXT NOT NULL,
    instrument TEXT NOT NULL,
    position_side TEXT NOT NULL,
    side TEXT NOT NULL,
    quantity TEXT NOT NULL,
    filled TEXT NOT NULL,
    status TEXT NOT NULL,
    price TEXT,
    trigger_price TEXT,
    order_type TEXT NOT NULL,
    reduce_only INTEGER NOT NULL CHECK (reduce_only IN (0, 1)),
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (ledger, venue_order_id)
) STRICT, WITHOUT ROWID;


-- For people with a SQL prompt. The program does not read these.

CREATE VIEW open_positions AS
SELECT ledgers.name AS account, instrument, native_symbol, position_side, quantity, entry_price, cost, settle AS currency,
       realized_pnl, fees, funding, leverage, margin_mode,
       strftime('%Y-%m-%dT%H:%M:%SZ', opened_at / 1000000000, 'unixepoch') AS opened,
       strftime('%Y-%m-%dT%H:%M:%SZ', updated_at / 1000000000, 'unixepoch') AS updated,
       book_positions.seq AS seq
FROM book_positions
JOIN ledgers ON ledgers.id = book_positions.ledger
JOIN instruments ON instruments.ledger = book_positions.ledger AND symbol = instrument AND version = instrument_version
WHERE quantity <> '0'
ORDER BY account, instrument, position_side;

CREATE VIEW strategy_positions AS
SELECT ledgers.name AS account, instrument, position_side, part.key AS strategy,
       part.value ->> 'quantity' AS quantity, part.value ->> 'cost' AS cost, part.value ->> 'realized_pnl' AS realized_pnl,
       part.value ->> 'strategy_cost' AS strategy_cost, part.value -> 'fees' AS fees, book_positions.seq AS seq
FROM book_positions
JOIN ledgers ON ledgers.id = book_positions.ledger
JOIN json_each(book_positions.strategies) AS part
ORDER BY account, instrument, position_side, strategy;

CREATE VIEW closed_cycles AS
SELECT ledgers.name AS account, instrument, position_side, number, side, quantity, realized_pnl, fees, funding,
       strftime('%Y-%m-%dT%H:%M:%SZ', opened_at / 1000000000, 'unixepoch') AS opened,
       strftime('%Y-%m-%dT%H:%M:%SZ', closed_at / 1000000000, 'unixepoch') AS closed,
       book_cycles.seq AS seq
FROM book_cycles
JOIN ledgers ON ledgers.id = book_cycles.ledger
ORDER BY account, closed_at, instrument, position_side, number;

CREATE VIEW account_balances AS
SELECT ledgers.name AS account, currency, total, traded, realized, balances.fees AS fees, funding, transfers, adjustments,
       opening, balances.seq AS seq
FROM balances
JOIN ledgers ON ledgers.id = balances.ledger
ORDER BY account, currency;
