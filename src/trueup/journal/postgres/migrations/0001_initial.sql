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
