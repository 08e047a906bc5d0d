/* Records and segments of the journal: how a change becomes sealed bytes and comes back. Knows keys and
 * bytes; must not: know what the changes mean, or where segments lie. Format: formats/journal.md. */
#ifndef CELLA_STATE_JOURNAL_H
#define CELLA_STATE_JOURNAL_H

#include "crypto/aead.h"
#include "state/source.h"

#define CELLA_SEGMENT_HEADER_SIZE 1024 /* bytes at the start of each segment */
#define CELLA_RECORD_ALIGNMENT                                                                               \
    512 /* records begin and end at multiples of it, so no write touches an older one */
#define CELLA_RECORD_HEADER_SIZE 96
#define CELLA_RECORD_MAX         ((size_t)256 << 20) /* bytes of a record's content */
#define CELLA_SEGMENT_SALT_SIZE  32

/* What a record is. Numbers are part of the format. */
enum cella_record_kind {
    CELLA_RECORD_CHANGES = 1,  /* of a group of transactions */
    CELLA_RECORD_INTENT = 2,   /* the next epoch is about to be taken */
    CELLA_RECORD_EPOCH = 3,    /* a new owner has begun */
    CELLA_RECORD_SNAPSHOT = 4, /* a snapshot is durable: everything up to its version may go */
    CELLA_RECORD_RESTORE = 5,  /* the owners brought an older head back */
    CELLA_RECORD_STOPPED = 6,  /* a fork was proven: the vault serves no more until it is restored */
};

/* A segment, as its clear header says; the header is part of what each record's tag authenticates. */
struct cella_segment {
    uint8_t vault_id[CELLA_VAULT_ID_SIZE];
    uint64_t lineage;
    uint64_t epoch; /* under which it was begun; its INTENT still belongs to the epoch before */
    uint64_t number;
    struct cella_head after; /* the head that its first record follows */
    uint8_t salt[CELLA_SEGMENT_SALT_SIZE];
    struct cella_key_info key_info;
};

/* Writes and reads the header. parse: CELLA_DAMAGED, CELLA_NEWER_FORMAT. */
void cella_segment_write(const struct cella_segment *segment, uint8_t out[CELLA_SEGMENT_HEADER_SIZE]);
enum cella_status cella_segment_parse(struct cella_bytes bytes, struct cella_segment *ret_segment,
                                      struct cella_error *error);

/* One end of a segment, writing or reading. */
struct cella_journal {
    struct cella_segment segment;
    uint8_t header_digest[CELLA_DIGEST_SIZE];
    struct cella_aead aead;
    struct cella_head head; /* of the last record that was sealed or opened */
    uint64_t offset;        /* where the next record begins in the segment */
};

/* Derives the segment's key from `root_key` (HKDF over salt, vault, epoch and number). */
enum cella_status cella_journal_init(struct cella_journal *journal, const struct cella_segment *segment,
                                     const uint8_t root_key[CELLA_ROOT_KEY_SIZE]);
/* Wipes; accepts a zeroed one. */
void cella_journal_deinit(struct cella_journal *journal);

/* Bytes that a record with `content_size` bytes of content takes, padded to its size class. */
size_t cella_record_size(size_t content_size);

/* Seals the next record (version head.version + 1, in `epoch`, which only an EPOCH record moves) into `out`
 * of cella_record_size(content.size) bytes and advances head and offset. Cannot repeat a nonce: the version
 * is the nonce, and a segment's key is used by one instance only. */
enum cella_status cella_journal_seal(struct cella_journal *journal, enum cella_record_kind kind,
                                     uint64_t epoch, struct cella_bytes content, uint8_t *out);

/* What the clear header of a record at `bytes` (at least CELLA_RECORD_HEADER_SIZE of them) says, unproven. */
struct cella_record_header {
    size_t size; /* of the whole record */
    enum cella_record_kind kind;
    uint64_t epoch, version, offset;
    uint8_t previous[CELLA_DIGEST_SIZE];
};
/* CELLA_NOT_FOUND: no record begins here (zeros, or old bytes). CELLA_DAMAGED: it cannot be one of this
 * format. */
enum cella_status cella_record_header_parse(struct cella_bytes bytes, struct cella_record_header *ret_header);

/* Opens the record at `bytes`, which lies at journal->offset, and must follow journal->head; advances both.
 * The content goes to `out` (room for the record's size). CELLA_NOT_FOUND: no record begins here.
 * CELLA_DAMAGED: one begins here and does not open: torn, changed, moved, or of another segment.
 * CELLA_VAULT_SPLICED: it opens, but follows another head or another version: records are missing, repeated
 * or out of order. */
enum cella_status cella_journal_open(struct cella_journal *journal, struct cella_bytes bytes, uint8_t *out,
                                     struct cella_record_header *ret_header, struct cella_bytes *ret_content,
                                     struct cella_error *error);
/* Whether some record of this segment lies at `offset` in `bytes`, whatever it follows: after a record that
 * does not open, one that does shows that the journal was damaged and not just cut. */
bool cella_journal_probe(struct cella_journal *journal, struct cella_bytes bytes, uint64_t offset,
                         uint8_t *scratch);

/* The changes of a CHANGES record. A put has a value; a delete has value.data NULL. */
struct cella_change {
    bool is_delete;
    struct cella_bytes key;
    struct cella_bytes value;
};
/* Bytes of one change in a record's content, and writing it there. */
size_t cella_change_size(struct cella_bytes key, const struct cella_bytes *value);
size_t cella_change_write(uint8_t *out, struct cella_bytes key, const struct cella_bytes *value);
/* The next change of `content` from `*position` on; false at its end, CELLA_DAMAGED in *ret_status if it is
 * not well formed. */
bool cella_change_next(struct cella_bytes content, size_t *position, struct cella_change *ret_change,
                       enum cella_status *ret_status);

#endif
