/* An enclave with a vault, its host and its disk, played in the test's own process: a real mailbox that keeps
 * its mail in a map, real signed heads, proofs and restores, real attestations of a simulated machine. The
 * host can copy the disk, put it back, kill instances, lose, hold back and repeat. */
#ifndef CELLA_TEST_CLIENT_WORLD_H
#define CELLA_TEST_CLIENT_WORLD_H

#include "support/test.h"
#include "client/client_internal.h"
#include "machine/machine.h"
#include "mail/keep.h"
#include "mail/mailbox.h"

#define WORLD_RECORDS_MAX 1024
#define WORLD_POSTS_MAX   256
#define WORLD_EFFECTS_MAX 256

struct world_entry {
    struct cella_bytes key, value; /* exactly sized, from malloc */
};

/* What would be on disk. Copied as a whole. */
struct world_disk {
    struct world_entry *entries; /* ascending */
    size_t entry_count;
    uint64_t version; /* records */
    uint8_t records[WORLD_RECORDS_MAX][CELLA_DIGEST_SIZE];
    uint64_t epoch; /* of the last record */
    uint64_t lineage;
    bool has_restore;
    struct cella_restore restore;
    /* The program's own state: bodies of the requests that were done, in order. */
    unsigned effect_count;
    char effects[WORLD_EFFECTS_MAX][32];
};

struct world_post {
    struct cella_bytes bytes;
};

/* What happens to the next exchanges; numbers count down. */
struct world_script {
    unsigned lose_mail;          /* mails do not arrive */
    unsigned lose_replies;       /* replies do not come back */
    unsigned kill_before;        /* the instance ends when mail comes; the host starts another */
    unsigned kill_after;         /* it ends when the mail is durable and nothing was said yet */
    unsigned pending;            /* COMMIT_PENDING in place of answers that are durable later */
    unsigned storage_full;       /* STORAGE_FULL to everything */
    unsigned no_context;         /* answers without a context */
    unsigned no_proof;           /* contexts without their proof */
    unsigned lose_posts;         /* posts that never reach the host's queue */
    uint64_t hold_back;          /* the post of this number never does */
    bool trusting;               /* instances do not check what clients say of the vault */
    enum cella_status say;       /* said once in place of carrying the mail */
    enum cella_status say_after; /* said once in place of the answer */
};

struct world {
    struct test_folder folder;
    char state_path[128];
    struct cella_machine *machine;
    struct cella_ed25519_key vault_key, owner;
    uint8_t genesis[CELLA_GENESIS_SIZE_MAX];
    size_t genesis_size;
    uint8_t vault_id[CELLA_VAULT_ID_SIZE];
    uint64_t counter; /* of the machine */
    struct world_disk disk;
    struct world_script script;

    /* The instance that runs. */
    bool running;
    uint64_t epoch;
    uint8_t epoch_start[CELLA_DIGEST_SIZE];
    struct cella_x25519_key session_key;
    struct cella_mailbox *mailbox;
    struct cella_tree *tree;

    /* The host's queue of posts, for its one client. */
    struct world_post posts[WORLD_POSTS_MAX];
    unsigned first_post, post_count;

    /* What was seen. */
    unsigned attestations, mails, polls, pauses, hellos, acks, queries;
    int64_t now;
    struct cella_client_transport transport;
    struct cella_client *client;
};

/* cmocka fixtures: *state is a struct world * with a vault of one owner, a running instance and a client. */
int world_setup(void **state);
int world_teardown(void **state);

struct cella_client_options world_options(struct world *world, const char *state_path);
/* Frees the client without saving, as a crash does, and opens it again. */
void world_crash_client(struct world *world);

/* Ends the instance with all that is in its memory. */
void world_kill(struct world *world);
/* Starts one on the disk as it is. */
void world_start(struct world *world);
void world_restart(struct world *world);

/* A copy of the disk, in memory that world_disk_free frees; and putting one back (it stays the caller's). */
struct world_disk *world_disk_copy(const struct world_disk *disk);
void world_disk_put(struct world *world, const struct world_disk *disk);
void world_disk_free(struct world_disk *disk);
/* The owners let the vault go on from the disk as it is now. `lost_to` is the newest version they know of. */
void world_restore(struct world *world, uint64_t lost_to);

/* How often a body was done, by the disk. */
unsigned world_done(const struct world *world, const char *body);
/* The enclave posts to the client, unasked. */
void world_post(struct world *world, const char *body);
/* Another client's request: a record that this client knows nothing of. */
void world_other_commit(struct world *world);

/* A request of the client; a reply must be the body. */
enum cella_status world_ask(struct world *world, const char *topic, const char *body,
                            struct cella_error *error);
enum cella_status world_query(struct world *world, const char *body, struct cella_error *error);
/* The next post must be `body`; NULL: none may come. */
void world_expect_post(struct world *world, const char *body);

#endif
