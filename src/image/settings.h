/* Settings of an image: what enclave.conf says, and the measured binary form of it that the keeper maps into
 * the image and the runtime reads. Compiled for both sides; formats/settings.md is the byte-level
 * specification. Must not: read files or the text form (conf.h does). */
#ifndef CELLA_IMAGE_SETTINGS_H
#define CELLA_IMAGE_SETTINGS_H

#include <cella/bytes.h>
#include <cella/status.h>
#include <stdbool.h>
#include <stdint.h>

#define CELLA_SETTINGS_NAME_LIMIT    63           /* letters of `name` and of an application key */
#define CELLA_SETTINGS_VALUE_LIMIT   4096         /* bytes of an application value */
#define CELLA_SETTINGS_KEYS_LIMIT    128          /* application keys */
#define CELLA_SETTINGS_SIZE_LIMIT    (256 * 1024) /* bytes of the binary form */
#define CELLA_SETTINGS_THREADS_LIMIT 64
#define CELLA_SETTINGS_OWNERS_LIMIT  16 /* owners of a vault */
#define CELLA_SETTINGS_OWNER_SIZE    32 /* an Ed25519 public key */

/* To which images of a machine a vault's keys belong. Numbers are those of KEYREQUEST.KEYPOLICY. */
enum cella_vault_key_policy {
    CELLA_VAULT_KEYS_IMAGE = 1,  /* MRENCLAVE: this image alone; a later version cannot open the vault */
    CELLA_VAULT_KEYS_SIGNER = 2, /* MRSIGNER: every image of the same signer and product */
};

/* One key of the [application] section; both texts are terminated. */
struct cella_application_setting {
    const char *key;
    const char *value;
};

/* All settings. The texts of `application` (ascending by key, no key twice) point into `storage` when that is
 * set, and into the bytes that cella_settings_read was given when it is NULL. */
struct cella_settings {
    char name[CELLA_SETTINGS_NAME_LIMIT + 1];
    uint16_t product_id;
    uint16_t security_version;
    bool debug;
    uint64_t heap_size;  /* bytes, whole pages */
    uint64_t stack_size; /* bytes per thread, whole pages */
    uint32_t thread_count;

    uint64_t max_mail_size;  /* bytes of envelope and body of one mail, either way */
    uint32_t max_senders;    /* senders whose order of mail is remembered */
    uint32_t max_topics;     /* topics remembered per sender */
    uint32_t max_sessions;   /* open sessions */
    uint32_t max_call_depth; /* calls enclave to host to enclave, nested */
    uint32_t max_queued;     /* requests under way at once; the host keeps it */

    uint32_t max_key_size;         /* bytes of a key of the vault */
    uint64_t max_value_size;       /* bytes of a value */
    uint64_t max_transaction_size; /* keys and values that one transaction changes */
    uint64_t max_state_size;       /* keys and values of all; 0: no limit but memory */
    uint64_t max_stored_reply;     /* a larger reply is not kept for a repeated request */
    uint64_t max_stored_bytes;     /* stored replies of all senders */
    uint64_t max_outbox;           /* posts that wait for one client */

    uint8_t vault_kind;       /* enum cella_vault_kind of state/genesis.h; 0: the enclave keeps no state */
    uint8_t key_policy;       /* enum cella_vault_key_policy */
    uint32_t owner_threshold; /* signatures of owners that a restore needs; 0 only without owners */
    uint64_t snapshot_after;  /* journal bytes after which the vault takes a snapshot */
    size_t owner_count;
    uint8_t owners[CELLA_SETTINGS_OWNERS_LIMIT][CELLA_SETTINGS_OWNER_SIZE]; /* ascending, none twice */

    size_t application_count;
    struct cella_application_setting application[CELLA_SETTINGS_KEYS_LIMIT];

    char *storage; /* owned, may be NULL */
};

/* Parses the binary form, all of `bytes` and nothing behind it, and checks every range; what it accepts
 * serialises to the same bytes again. `bytes` must outlive `ret_settings`. CELLA_DAMAGED: not well formed.
 * CELLA_NEWER_FORMAT: a version or a field number of a later release. Needs no memory. */
enum cella_status cella_settings_read(struct cella_bytes bytes, struct cella_settings *ret_settings,
                                      struct cella_error *error);

/* Serialises into `buffer` (CELLA_SETTINGS_SIZE_LIMIT is always enough room for settings that are accepted).
 * CELLA_TOO_SMALL, or CELLA_LIMIT when the whole is larger than the format allows. */
enum cella_status cella_settings_write(const struct cella_settings *settings, uint8_t *buffer,
                                       size_t buffer_size, size_t *ret_size, struct cella_error *error);

/* Checks the ranges and cross rules that both forms obey. CELLA_CONF_VALUE with a message that names the key,
 * the value and the allowed range. */
enum cella_status cella_settings_check(const struct cella_settings *settings, struct cella_error *error);

/* Value of an application key, NULL if it is not there. Valid as long as the settings are. */
const char *cella_settings_get(const struct cella_settings *settings, const char *key);

/* Frees what the settings own; accepts zeroed ones. */
void cella_settings_deinit(struct cella_settings *settings);

/* Ranges and names, one row per number, so that text form, binary form and documentation agree. */
struct cella_settings_rule {
    const char *section;
    const char *key;
    uint16_t field;           /* number in the binary form */
    uint16_t offset;          /* of the member in struct cella_settings */
    uint8_t width;            /* bytes of the member and of the field: 1, 2, 4 or 8 */
    bool required;            /* enclave.conf must name it */
    bool is_boolean;          /* the member is a bool */
    bool is_size;             /* K, M and G are allowed in enclave.conf */
    const char *const *words; /* what enclave.conf says for `least`, …, `most`; NULL: a number */
    uint64_t least;
    uint64_t most;
    uint64_t multiple;      /* the value is a multiple of it; 1: any */
    uint64_t default_value; /* when enclave.conf does not name it */
};

#define CELLA_SETTINGS_RULES_COUNT 23
extern const struct cella_settings_rule cella_settings_rules[CELLA_SETTINGS_RULES_COUNT];

/* The number that a rule's member holds, and setting it. */
uint64_t cella_settings_number(const struct cella_settings *settings, const struct cella_settings_rule *rule);
void cella_settings_set_number(struct cella_settings *settings, const struct cella_settings_rule *rule,
                               uint64_t value);

#endif
