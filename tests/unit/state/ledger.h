/* Segments in memory for the tests of the journal: whole ones to write, and what an engine would find in
 * them.
 */
#ifndef CELLA_TEST_LEDGER_H
#define CELLA_TEST_LEDGER_H

#include "state/journal.h"
#include "support/test.h"

#define LEDGER_RECORDS_MAX 8

/* A segment under way: its journal's writing end and all its bytes. */
struct ledger {
    struct cella_journal journal;
    uint8_t bytes[1 << 16];
    size_t size;
    unsigned count;
    size_t at[LEDGER_RECORDS_MAX + 1]; /* where each record begins, and where the last one ends */
};

extern const uint8_t ledger_root_key[CELLA_ROOT_KEY_SIZE];

/* What a segment of the vault `vault` says; the salt comes from `seed`. After head (0, 0, zeros). */
struct cella_segment ledger_segment(uint8_t vault, uint64_t epoch, uint64_t number, uint32_t seed);
void ledger_begin(struct ledger *ledger, const struct cella_segment *segment);
/* Seals a record of CHANGES in the epoch of now, or of another kind and epoch. */
void ledger_add(struct ledger *ledger, const char *content);
void ledger_add_kind(struct ledger *ledger, enum cella_record_kind kind, uint64_t epoch, const char *content);
/* INTENT, EPOCH 1 and three records with contents "first", "second" and "third", all of one size. */
void ledger_fill(struct ledger *ledger);
void ledger_end(struct ledger *ledger);

/* What is found when bytes are read as a segment. */
struct finding {
    enum cella_status load;
    enum cella_status end; /* of the record that ended it */
    unsigned opened;
    bool later; /* a genuine record begins behind the end */
    struct cella_head head;
};
/* `expected` (may be NULL) is the segment that the bytes were made from: contents must be its contents. */
struct finding ledger_read(struct cella_bytes bytes, const struct ledger *expected);

#endif
