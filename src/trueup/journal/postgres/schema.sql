-- The schema of trueup's store, whole. Made from migrations/ and kept equal to them by a test; do not edit it.
--
--   psql --set ON_ERROR_STOP=1 --file schema.sql postgresql://USER@HOST/DATABASE

BEGIN;

CREATE TABLE trueup_migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    ran_at timestamptz NOT NULL DEFAULT now()
);

-- --- 0001_initial.sql ---

-- The journal and, derived from it, the views.
--
-- Decimals are numeric and exact, times whole nanoseconds UTC, mappings JSON objects. NULL is unknown, 0 is known zero.
-- Every derived row carries the seq of its ledger at which it became true. Names are compared byte by byte.

CREATE TABLE ledgers (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE CHECK (name <> ''),
    epoch bigint NOT NULL CHECK (epoch > 0), -- fencing token of the leader; an older one writes no more
    applied bigint NOT NULL CHECK (applied >= 0), -- seq of the last event
    head bytea NOT NULL CHECK (octet_length(head) = 32), -- hash of the last frame
    recorded_at bigint NOT NULL,
    viewed bigint NOT NULL CHECK (viewed BETWEEN 0 AND applied) -- seq that the derived rows are true at
) WITH (fillfactor = 50);

-- The journal: each frame holds the hash of the one before it.
CREATE TABLE frames (
    ledger integer NOT NULL REFERENCES ledgers (id),
    first bigint NOT NULL CHECK (first > 0),
    count integer NOT NULL CHECK (count > 0),
    recorded_at bigint NOT NULL,
    epoch bigint NOT NULL CHECK (epoch > 0),
    synced bigint NOT NULL CHECK (synced >= 0),
    previous bytea NOT NULL CHECK (octet_length(previous) = 32),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    body bytea NOT NULL CHECK (octet_length(body) BETWEEN 1 AND 67108864),
    PRIMARY KEY (ledger, first)
);

-- Bodies shrink to a quarter, with lz4 at no cost. Where the server is built without it, they are kept as they are.
ALTER TABLE frames ALTER COLUMN body SET STORAGE EXTERNAL;
DO $$
BEGIN
    IF 'lz4' = ANY ((SELECT enumvals FROM pg_settings WHERE name = 'default_toast_compression')::text[]) THEN
        ALTER TABLE frames ALTER COLUMN body SET STORAGE EXTENDED, ALTER COLUMN body SET COMPRESSION lz4;
    END IF;
END $$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is forbidden: the journal is only ever appended to', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'journal_is_append_only';
END $$;

CREATE TRIGGER journal_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON frames
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION require_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    expected bigint;
    before bytea;
BEGIN
    SELECT first + count, hash INTO expected, before FROM frames
        WHERE ledger = NEW.ledger ORDER BY first DESC LIMIT 1;
    IF NOT FOUND THEN
        expected := 1;
        before := decode(repeat('00', 32), 'hex');
    END IF;
    IF NEW.first <> expected OR NEW.previous <> before THEN
        RAISE EXCEPTION 'frame % of ledger % does not continue the chain, which expects seq %',
            NEW.first, NEW.ledger, expected
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'frames_are_a_chain';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER frames_are_a_chain BEFORE INSERT ON frames FOR EACH ROW EXECUTE FUNCTION require_chain();

CREATE FUNCTION require_advance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id <> OLD.id OR NEW.name <> OLD.name OR NEW.epoch < OLD.epoch OR NEW.applied < OLD.applied
        OR (NEW.applied = OLD.applied AND NEW.head <> OLD.head) THEN
        RAISE EXCEPTION 'ledger % may only advance', OLD.name
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ledgers_only_advance';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER ledgers_only_advance BEFORE UPDATE ON ledgers FOR EACH ROW EXECUTE FUNCTION require_advance();

CREATE FUNCTION require_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM (SELECT first + count - 1 AS last, hash FROM frames
                     WHERE ledger = NEW.id ORDER BY first DESC LIMIT 1) AS newest
        WHERE last = NEW.applied AND hash = NEW.head
    ) THEN
        RAISE EXCEPTION 'the head of ledger % is not its last frame', NEW.name
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'head_is_the_last_frame';
    END IF;
    RETURN NULL;
END $$;

-- Checked at the end of the transaction, which writes the head first, to lock the ledger, and then the frames.
CREATE CONSTRAINT TRIGGER head_is_the_last_frame AFTER UPDATE OF applied, head ON ledgers
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.applied > OLD.applied) EXECUTE FUNCTION require_head();

-- Folded states, so that a start need not read all of history. They save time and are never the truth.
CREATE TABLE snapshots (
    ledger integer NOT NULL REFERENCES ledgers (id),
    seq bigint NOT NULL CHECK (seq > 0),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32), -- of the frame it stands on
    recorded_at bigint NOT NULL,
    codec integer NOT NULL,
    state_hash bytea NOT NULL CHECK (octet_length(state_hash) = 32),
    state bytea NOT NULL,
    PRIMARY KEY (ledger, seq)
);

-- --- Derived from the frames. ---

-- No two facts of a ledger share an identity: the second net under the exact dedupe of the writer. There is a row for
-- every fact and its writer holds the ledger's, so looking that up for each would cost time and prove nothing.
CREATE TABLE fact_keys (
    ledger integer NOT NULL,
    key text COLLATE "C" NOT NULL,
    seq bigint NOT NULL CHECK (seq > 0),
    PRIMARY KEY (ledger, key)
);

CREATE TABLE instruments (
    ledger integer NOT NULL REFERENCES ledgers (id),
    symbol text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    seq bigint NOT NULL,
    native_symbol text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('spot', 'linear', 'inverse', 'quanto')),
    base text NOT NULL,
    quote text NOT NULL,
    settle text NOT NULL,
    contract_size numeric NOT NULL,
    price_tick numeric,
    quantity_step numeric,
    effective_from bigint NOT NULL,
    expiry bigint,
    max_leverage numeric,
    wallet text NOT NULL,
    PRIMARY KEY (ledger, symbol, version)
);

CREATE TABLE book_positions (
    ledger integer NOT NULL REFERENCES ledgers (id),
    instrument text COLLATE "C" NOT NULL,
    position_side text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    instrument_version integer NOT NULL,
    quantity numeric NOT NULL,
    cost numeric,
    entry_price numeric, -- computed when written, so that people need not
    realized_pnl numeric NOT NULL,
    realized_unknown bigint NOT NULL,
    adjusted_pnl numeric NOT NULL,
    fee_value numeric,
    unconfirmed numeric NOT NULL,
    leverage numeric,
    margin_mode text,
    opened_at bigint,
    updated_at bigint NOT NULL,
    cycles bigint NOT NULL,
    liquidations bigint NOT NULL,
    fees jsonb NOT NULL,
    funding jsonb NOT NULL,
    strategies jsonb NOT NULL,
    version bigint NOT NULL DEFAULT 1 CHECK (version > 0), -- how many changes made it what it is
    PRIMARY KEY (ledger, instrument, position_side),
    FOREIGN KEY (ledger, instrument, instrument_version) REFERENCES instruments (ledger, symbol, version)
) WITH (fillfactor = 50); -- room to update a row in its own page, which leaves the index alone

CREATE TABLE book_cycles (
    ledger integer NOT NULL REFERENCES ledgers (id),
    instrument text COLLATE "C" NOT NULL,
    position_side text COLLATE "C" NOT NULL,
    number bigint NOT NULL CHECK (number > 0),
    seq bigint NOT NULL,
    side text NOT NULL,
    quantity numeric NOT NULL,
    opened_at bigint NOT NULL,
    closed_at bigint NOT NULL,
    realized_pnl numeric,
    liquidated boolean NOT NULL,
    fees jsonb NOT NULL,
    funding jsonb NOT NULL,
    PRIMARY KEY (ledger, instrument, position_side, number)
);

CREATE TABLE balances (
    ledger integer NOT NULL REFERENCES ledgers (id),
    currency text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    total numeric, -- the sum of the parts, computed when written
    traded numeric NOT NULL,
    realized numeric NOT NULL,
    fees numeric NOT NULL,
    funding numeric NOT NULL,
    adjustments numeric NOT NULL,
    opening numeric NOT NULL,
    realized_unknown bigint NOT NULL,
    transfers jsonb NOT NULL,
    PRIMARY KEY (ledger, currency)
) WITH (fillfactor = 50);

CREATE TABLE orders (
    ledger integer NOT NULL REFERENCES ledgers (id),
    venue_order_id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    client_order_id text NOT NULL,
    instrument text COLLATE "C" NOT NULL,
    position_side text COLLATE "C" NOT NULL,
    side text NOT NULL,
    quantity numeric NOT NULL,
    filled numeric NOT NULL,
    status text NOT NULL,
    price numeric,
    trigger_price numeric,
    order_type text NOT NULL,
    reduce_only boolean NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (ledger, venue_order_id)
);

-- The newest sampled mark of each instrument.
CREATE TABLE book_marks (
    ledger integer NOT NULL REFERENCES ledgers (id),
    instrument text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    price numeric NOT NULL,
    venue_time bigint NOT NULL,
    source text NOT NULL,
    PRIMARY KEY (ledger, instrument)
);

INSERT INTO trueup_migrations (number, name, hash)
VALUES (1, '0001_initial.sql', '\xd9c581c878c6fe2aeb4d53bf0b68dbeef2e4b9b7cb7615ad1223983b705915b9');

-- --- 0002_control.sql ---

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

INSERT INTO trueup_migrations (number, name, hash)
VALUES (2, '0002_control.sql', '\x344e0fb0b5539796de0ac4f1537a43d7248cdc5e1ac8df0e418b3d2fce7ff057');

-- --- 0003_guards.sql ---

-- The triggers that protect the journal look at its own tables, whatever tables a session has in their place: temporary
-- ones, those of another schema, or none at all, as when pg_dump's rows are read back into a schema that was made before.

DO $$
DECLARE
    here text := quote_ident(current_schema());
    guard text;
BEGIN
    FOREACH guard IN ARRAY ARRAY['refuse_change', 'require_chain', 'require_advance', 'require_head'] LOOP
        EXECUTE format('ALTER FUNCTION %s.%I() SET search_path = %s, pg_temp', here, guard, here);
    END LOOP;
END $$;

INSERT INTO trueup_migrations (number, name, hash)
VALUES (3, '0003_guards.sql', '\x3e6f373e1caa176dd5feb85fc1a15100fc8ef5c855c83bffb089fbd3f45925b8');

COMMIT;
