"""The catalog's schema: one script a version, run in order. A script that has been released never changes."""

SCRIPTS: tuple[str, ...] = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO meta VALUES ('generation', '0');

    CREATE TABLE roots (
        id INTEGER PRIMARY KEY,
        path TEXT NOT NULL UNIQUE,
        include TEXT NOT NULL DEFAULT '[]',      -- JSON list of patterns
        exclude TEXT NOT NULL DEFAULT '[]',
        hidden INTEGER NOT NULL DEFAULT 0
    ) STRICT;

    CREATE TABLE images (
        id INTEGER PRIMARY KEY AUTOINCREMENT,    -- AUTOINCREMENT: an id is never given twice
        root_id INTEGER NOT NULL REFERENCES roots (id),
        path TEXT NOT NULL,                      -- below the root, '/' between names
        size INTEGER NOT NULL,                   -- bytes
        mtime_ns INTEGER NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('indexed', 'failed', 'removed')),
        reason TEXT,                             -- why it failed: a key of DECODE_REASONS, and the fact behind it
        detail TEXT,
        sha256 TEXT,                             -- of the file's content, hex
        format TEXT,
        width INTEGER,                           -- of the upright picture, pixels
        height INTEGER,
        taken_at TEXT,                           -- ISO 8601, the camera's clock
        camera TEXT,
        has_gps INTEGER,
        colours TEXT,                            -- JSON list of {name, hex, share}
        colour_mask INTEGER,                     -- bit n: the n-th name of indexer.colours.NAMES is dominant
        UNIQUE (root_id, path)
    ) STRICT;
    CREATE INDEX images_by_status ON images (status);

    CREATE TABLE encoders (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        fingerprint TEXT NOT NULL
    ) STRICT;

    CREATE TABLE shards (
        encoder_id INTEGER NOT NULL REFERENCES encoders (id),
        number INTEGER NOT NULL,
        rows INTEGER NOT NULL,
        sha256 TEXT NOT NULL,                    -- of the vector file
        ids_sha256 TEXT NOT NULL,
        PRIMARY KEY (encoder_id, number)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE vectors (                       -- where the vector of a picture lies
        encoder_id INTEGER NOT NULL REFERENCES encoders (id),
        image_id INTEGER NOT NULL REFERENCES images (id),
        shard INTEGER NOT NULL,
        row INTEGER NOT NULL,
        PRIMARY KEY (encoder_id, image_id)
    ) STRICT, WITHOUT ROWID;
    """,
)
