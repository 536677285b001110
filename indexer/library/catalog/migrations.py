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
    """
    -- What is in a file stands apart from where it lies: files with the same bytes share one content and one vector.
    CREATE TABLE contents (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        sha256 TEXT NOT NULL UNIQUE,             -- of the file's bytes, hex
        format TEXT NOT NULL,
        width INTEGER NOT NULL,                  -- of the upright picture, pixels
        height INTEGER NOT NULL,
        taken_at TEXT,                           -- ISO 8601, the camera's clock
        camera TEXT,
        has_gps INTEGER NOT NULL,
        colours TEXT NOT NULL,                   -- JSON list of {name, hex, share}
        colour_mask INTEGER NOT NULL,            -- bit n: the n-th name of indexer.colours.NAMES is dominant
        phash INTEGER                            -- perceptual hash, 64 bits; NULL: not made yet
    ) STRICT;
    INSERT INTO contents (id, sha256, format, width, height, taken_at, camera, has_gps, colours, colour_mask)
        SELECT min(id), sha256, format, width, height, taken_at, camera, coalesce(has_gps, 0),
            coalesce(colours, '[]'), coalesce(colour_mask, 0)
        FROM images
        WHERE sha256 IS NOT NULL AND format IS NOT NULL AND width IS NOT NULL AND height IS NOT NULL
        GROUP BY sha256;

    ALTER TABLE images ADD COLUMN content_id INTEGER REFERENCES contents (id);
    ALTER TABLE images ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;  -- of the last change an index must follow
    ALTER TABLE images ADD COLUMN offset INTEGER;                         -- where its bytes begin in a tar file
    ALTER TABLE images ADD COLUMN caption TEXT NOT NULL DEFAULT '';
    ALTER TABLE images ADD COLUMN tags TEXT NOT NULL DEFAULT '';
    UPDATE images SET content_id = (SELECT contents.id FROM contents WHERE contents.sha256 = images.sha256);
    UPDATE meta SET value = value + 1 WHERE key = 'generation';
    INSERT INTO meta VALUES ('seal', '');        -- which catalog.seal belongs to it; '': none

    CREATE TABLE content_vectors (               -- where the vector of a content lies
        encoder_id INTEGER NOT NULL REFERENCES encoders (id),
        content_id INTEGER NOT NULL REFERENCES contents (id),
        shard INTEGER NOT NULL,
        row INTEGER NOT NULL,
        PRIMARY KEY (encoder_id, content_id)
    ) STRICT, WITHOUT ROWID;
    INSERT OR IGNORE INTO content_vectors SELECT encoder_id, content_id, shard, row
        FROM vectors JOIN images ON images.id = image_id WHERE content_id IS NOT NULL;
    DROP TABLE vectors;
    ALTER TABLE content_vectors RENAME TO vectors;

    ALTER TABLE images DROP COLUMN sha256;
    ALTER TABLE images DROP COLUMN format;
    ALTER TABLE images DROP COLUMN width;
    ALTER TABLE images DROP COLUMN height;
    ALTER TABLE images DROP COLUMN taken_at;
    ALTER TABLE images DROP COLUMN camera;
    ALTER TABLE images DROP COLUMN has_gps;
    ALTER TABLE images DROP COLUMN colours;
    ALTER TABLE images DROP COLUMN colour_mask;
    CREATE INDEX vectors_by_content ON vectors (content_id);
    CREATE INDEX images_by_content ON images (content_id, status);
    CREATE INDEX images_by_generation ON images (generation);

    ALTER TABLE shards ADD COLUMN checked TEXT NOT NULL DEFAULT '';    -- its files when they were last read in full
    INSERT INTO meta SELECT 'next_shard', coalesce(max(number), -1) + 1 FROM shards;

    ALTER TABLE roots ADD COLUMN kind TEXT NOT NULL DEFAULT 'folder';  -- folder, list or tar
    ALTER TABLE roots ADD COLUMN mounts TEXT NOT NULL DEFAULT '[]';    -- JSON list of folders that are other drives
    ALTER TABLE roots ADD COLUMN columns TEXT NOT NULL DEFAULT '{}';   -- JSON: path, url, caption, tags -> of a list

    -- Words of captions, tags and names; see texts.py. Its tokeniser splits at spaces, as they are put.
    CREATE VIRTUAL TABLE texts USING fts5 (caption, tags, name, tokenize = 'ascii');
    CREATE TABLE texts_stale (image_id INTEGER PRIMARY KEY) STRICT;    -- whose words in it are not what they should be
    INSERT INTO texts_stale SELECT id FROM images WHERE status = 'indexed';
    CREATE TRIGGER texts_changed AFTER UPDATE OF root_id, path, status, caption, tags ON images
        WHEN (old.root_id, old.path, old.status, old.caption, old.tags)
            IS NOT (new.root_id, new.path, new.status, new.caption, new.tags)
        BEGIN INSERT OR IGNORE INTO texts_stale VALUES (old.id); END;
    CREATE TRIGGER texts_deleted AFTER DELETE ON images
        BEGIN INSERT OR IGNORE INTO texts_stale VALUES (old.id); END;
    """,
    """
    -- What is found in a picture stands in a table for each annotator; its fields are written down beside it.
    CREATE TABLE annotators (
        name TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        position INTEGER NOT NULL,
        fields TEXT NOT NULL                     -- JSON list of fields; see fields.py
    ) STRICT, WITHOUT ROWID;
    INSERT INTO annotators VALUES ('exif', 1, 1, '[
        {"name": "taken", "type": "moment", "label": "Taken", "label_zh": "拍摄时间", "searchable":
          false, "filterable": true, "faceted": true, "shown": true, "aliases": [], "choices": []},
        {"name": "camera", "type": "text", "label": "Camera", "label_zh": "相机", "searchable": false,
          "filterable": false, "faceted": false, "shown": true, "aliases": [], "choices": []},
        {"name": "has_gps", "type": "flag", "label": "Place recorded", "label_zh": "含有拍摄地点",
          "searchable": false, "filterable": false, "faceted": false, "shown": true, "aliases": [],
          "choices": []}
    ]');
    INSERT INTO annotators VALUES ('colours', 1, 2, '[
        {"name": "colour", "type": "choices", "label": "Colour", "label_zh": "颜色", "searchable":
          false, "filterable": true, "faceted": true, "shown": false, "aliases": ["color",
          "colours", "colors"], "choices": [
            {"name": "black", "zh": "黑", "aliases": ["黑色"]},
            {"name": "grey", "zh": "灰", "aliases": ["gray", "灰色"]},
            {"name": "white", "zh": "白", "aliases": ["白色"]},
            {"name": "red", "zh": "红", "aliases": ["红色"]},
            {"name": "orange", "zh": "橙", "aliases": ["橘", "橙色", "橘色"]},
            {"name": "yellow", "zh": "黄", "aliases": ["黄色"]},
            {"name": "green", "zh": "绿", "aliases": ["绿色"]},
            {"name": "cyan", "zh": "青", "aliases": ["teal", "青色"]},
            {"name": "blue", "zh": "蓝", "aliases": ["蓝色"]},
            {"name": "purple", "zh": "紫", "aliases": ["violet", "紫色"]},
            {"name": "pink", "zh": "粉", "aliases": ["粉红", "粉色", "粉红色"]},
            {"name": "brown", "zh": "棕", "aliases": ["褐", "棕色", "褐色"]}]},
        {"name": "dominant", "type": "data", "label": "Colours", "label_zh": "颜色", "searchable":
          false, "filterable": false, "faceted": false, "shown": true, "aliases": [], "choices": []}
    ]');
    INSERT INTO annotators VALUES ('phash', 1, 3, '[
        {"name": "phash", "type": "whole", "label": "Perceptual hash", "label_zh": "感知哈希",
          "searchable": false, "filterable": false, "faceted": false, "shown": false, "aliases": [],
          "choices": []}
    ]');

    CREATE TABLE annotation_exif (
        content_id INTEGER PRIMARY KEY REFERENCES contents (id) ON DELETE CASCADE,
        version INTEGER NOT NULL,                -- of the annotator that was asked
        problem TEXT,                            -- why there are no values
        "taken" TEXT,                            -- ISO 8601, the camera's clock
        "camera" TEXT,
        "has_gps" INTEGER
    ) STRICT;
    INSERT INTO annotation_exif SELECT id, 1, NULL, taken_at, camera, has_gps FROM contents;
    CREATE TABLE annotation_colours (
        content_id INTEGER PRIMARY KEY REFERENCES contents (id) ON DELETE CASCADE,
        version INTEGER NOT NULL,
        problem TEXT,
        "colour" INTEGER,                        -- bit n: the n-th choice of the field
        "dominant" TEXT                          -- JSON list of [name, hex, share]
    ) STRICT;
    INSERT INTO annotation_colours SELECT id, 1, NULL, colour_mask, colours FROM contents;
    CREATE TABLE annotation_phash (
        content_id INTEGER PRIMARY KEY REFERENCES contents (id) ON DELETE CASCADE,
        version INTEGER NOT NULL,
        problem TEXT,
        "phash" INTEGER
    ) STRICT;
    INSERT INTO annotation_phash SELECT id, 1, NULL, phash FROM contents WHERE phash IS NOT NULL;
    DELETE FROM meta WHERE key = 'hashes_made_up_to';

    ALTER TABLE contents DROP COLUMN taken_at;
    ALTER TABLE contents DROP COLUMN camera;
    ALTER TABLE contents DROP COLUMN has_gps;
    ALTER TABLE contents DROP COLUMN colours;
    ALTER TABLE contents DROP COLUMN colour_mask;
    ALTER TABLE contents DROP COLUMN phash;

    -- Words that annotators found are searched beside the others.
    CREATE VIRTUAL TABLE words USING fts5 (caption, tags, name, found, tokenize = 'ascii');
    INSERT INTO words (rowid, caption, tags, name, found) SELECT rowid, caption, tags, name, '' FROM texts;
    DROP TABLE texts;
    ALTER TABLE words RENAME TO texts;
    DROP TRIGGER texts_changed;
    CREATE TRIGGER texts_changed AFTER UPDATE OF root_id, path, status, caption, tags, content_id ON images
        WHEN (old.root_id, old.path, old.status, old.caption, old.tags, old.content_id)
            IS NOT (new.root_id, new.path, new.status, new.caption, new.tags, new.content_id)
        BEGIN INSERT OR IGNORE INTO texts_stale VALUES (old.id); END;
    """,
    """
    ALTER TABLE encoders ADD COLUMN position INTEGER NOT NULL DEFAULT 0;   -- among the library's; 0: the main one
    UPDATE encoders SET position = coalesce(
        (SELECT key FROM json_each((SELECT value FROM meta WHERE key = 'encoder_order' AND json_valid(value))) AS named
            WHERE named.value = encoders.name),
        (SELECT count(*) FROM encoders)
    );
    DELETE FROM meta WHERE key = 'encoder_order';

    ALTER TABLE roots ADD COLUMN package TEXT NOT NULL DEFAULT '';     -- that has the class for its kind; '': xuntu
    ALTER TABLE roots ADD COLUMN stamp TEXT NOT NULL DEFAULT '';       -- JSON: size, mtime_ns, fingerprint; '': unknown
    UPDATE roots SET stamp = coalesce(
        (SELECT json_array(NULL, NULL, value) FROM meta WHERE key = 'shard ' || roots.id), ''
    );
    DELETE FROM meta WHERE key LIKE 'shard %';

    -- Sizes, times and paths stood for what they are not: -1 for what has to be looked at again, -2 for what is known
    -- once it has been fetched, 0 and 0 for what cannot be read, checksums of reasons as times, and '#7' for row 7.
    CREATE TABLE located_images (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        root_id INTEGER NOT NULL REFERENCES roots (id),
        path TEXT,                               -- the key in its source, '/' between names; NULL for a row
        list_row INTEGER,                        -- of a list, where it names no picture; else NULL
        size INTEGER,                            -- bytes; NULL: not known
        mtime_ns INTEGER,
        fingerprint TEXT,                        -- what else tells that it is unchanged
        stale INTEGER NOT NULL DEFAULT 0,        -- 1: it has to be looked at again
        status TEXT NOT NULL CHECK (status IN ('indexed', 'failed', 'removed')),
        reason TEXT,
        detail TEXT,
        content_id INTEGER REFERENCES contents (id),
        generation INTEGER NOT NULL DEFAULT 1,
        offset INTEGER,                          -- where its bytes begin in a file that holds others
        caption TEXT NOT NULL DEFAULT '',
        tags TEXT NOT NULL DEFAULT '',
        UNIQUE (root_id, path),
        CHECK ((path IS NULL) <> (list_row IS NULL))
    ) STRICT;
    INSERT INTO located_images (id, root_id, path, list_row, size, mtime_ns, fingerprint, stale, status, reason, detail,
            content_id, generation, offset, caption, tags)
        SELECT id, root_id,
            iif(is_row, NULL, path), iif(is_row, CAST(substr(path, 2) AS INTEGER), NULL),
            iif(is_unknown OR size < 0, NULL, size), iif(is_unknown, NULL, mtime_ns), iif(is_problem, reason, NULL),
            size = -1, status, reason, detail, content_id, generation, offset, caption, tags
        FROM (
            SELECT *, is_problem OR size = -2 OR (size = 0 AND mtime_ns = 0) AS is_unknown FROM (
                SELECT images.*,
                    kind = 'list' AND images.path GLOB '#[0-9]*' AND substr(images.path, 2) NOT GLOB '*[^0-9]*'
                        AS is_row,
                    size = 0 AND coalesce(mtime_ns = CASE reason
                        WHEN 'row_unreadable' THEN 1758761662
                        WHEN 'row_without_picture' THEN 1462008235
                        WHEN 'url_invalid' THEN 1189752028
                        WHEN 'not_a_regular_file' THEN 917281265
                    END, 0) AS is_problem
                FROM images JOIN roots ON roots.id = root_id
            )
        );
    DELETE FROM sqlite_sequence WHERE name = 'located_images';
    INSERT INTO sqlite_sequence SELECT 'located_images', seq FROM sqlite_sequence WHERE name = 'images';
    DROP TABLE images;
    ALTER TABLE located_images RENAME TO images;
    CREATE UNIQUE INDEX images_by_row ON images (root_id, list_row) WHERE list_row IS NOT NULL;
    CREATE INDEX images_by_status ON images (status);
    CREATE INDEX images_by_content ON images (content_id, status);
    CREATE INDEX images_by_generation ON images (generation);
    CREATE TRIGGER texts_changed AFTER UPDATE OF root_id, path, status, caption, tags, content_id ON images
        WHEN (old.root_id, old.path, old.status, old.caption, old.tags, old.content_id)
            IS NOT (new.root_id, new.path, new.status, new.caption, new.tags, new.content_id)
        BEGIN INSERT OR IGNORE INTO texts_stale VALUES (old.id); END;
    CREATE TRIGGER texts_deleted AFTER DELETE ON images
        BEGIN INSERT OR IGNORE INTO texts_stale VALUES (old.id); END;
    """,
    """
    -- By which version of the decoder a content was read (see DECODING), and what of its file could not be.
    ALTER TABLE contents ADD COLUMN decoding INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE contents ADD COLUMN partial INTEGER NOT NULL DEFAULT 0;    -- 1: the file breaks off
    ALTER TABLE contents ADD COLUMN dropped TEXT NOT NULL DEFAULT '';      -- parts beside the pixels, ' ' between names
    ALTER TABLE roots ADD COLUMN defaults INTEGER NOT NULL DEFAULT 1;      -- 1: system folders are left out
    ALTER TABLE roots ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;       -- 1: no part of the library any more
    ALTER TABLE images ADD COLUMN beside_at TEXT NOT NULL DEFAULT '';      -- the moment a file beside it says
    ALTER TABLE images ADD COLUMN beside_rating INTEGER;                   -- and its rating
    ALTER TABLE images ADD COLUMN named_at TEXT;                           -- the moment its name says; '': none
    CREATE INDEX images_unnamed ON images (id) WHERE named_at IS NULL;     -- NULL: it has not been read yet
    CREATE TRIGGER images_renamed AFTER UPDATE OF path ON images WHEN old.path IS NOT new.path
        BEGIN UPDATE images SET named_at = NULL WHERE id = new.id; END;
    INSERT OR IGNORE INTO texts_stale SELECT id FROM images WHERE status = 'indexed';  -- names in GBK are words now
    CREATE INDEX contents_by_decoding ON contents (decoding);
    """,
    """
    -- What is long is looked at in parts as well, which have vectors beside that of the whole.
    CREATE TABLE parts (
        content_id INTEGER NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,                 -- from 1
        x INTEGER NOT NULL,                      -- of its left upper corner, pixels of the upright picture
        y INTEGER NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        PRIMARY KEY (content_id, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE part_vectors (                  -- where the vectors of parts lie
        encoder_id INTEGER NOT NULL REFERENCES encoders (id),
        content_id INTEGER NOT NULL REFERENCES contents (id),
        number INTEGER NOT NULL,
        shard INTEGER NOT NULL,
        row INTEGER NOT NULL,
        PRIMARY KEY (encoder_id, content_id, number)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX contents_long ON contents (id) WHERE max(width, height) > 3 * min(width, height);
    -- Words of other forms are found by their stems, which stand in a column of their own.
    DROP TABLE texts;
    CREATE VIRTUAL TABLE texts USING fts5 (caption, tags, name, found, stems, tokenize = 'ascii');
    INSERT OR IGNORE INTO texts_stale SELECT id FROM images WHERE status = 'indexed';
    CREATE TRIGGER vectors_deleted AFTER DELETE ON vectors
        BEGIN DELETE FROM part_vectors WHERE encoder_id = old.encoder_id AND content_id = old.content_id; END;
    """,
    """
    -- A video is one content: a frame stands for all of it, and the parts of it are its moments.
    ALTER TABLE contents ADD COLUMN duration_ms INTEGER;       -- of a video; NULL: it is a picture
    ALTER TABLE parts ADD COLUMN at_ms INTEGER;                -- of a moment, from the beginning; NULL: of a picture
    CREATE INDEX contents_videos ON contents (id) WHERE duration_ms IS NOT NULL;
    """,
    """
    -- Characters are indexed in pairs, and how Chinese sounds, where that is asked for.
    DROP TABLE texts;
    CREATE VIRTUAL TABLE texts USING fts5 (caption, tags, name, found, stems, pinyin, tokenize = 'ascii');
    INSERT OR IGNORE INTO texts_stale SELECT id FROM images WHERE status = 'indexed';
    """,
)
