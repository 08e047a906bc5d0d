/* What the keeper tells the host over their socket pair: fixed-size messages, keeper to host only. The host's
 * end closing is the one message in the other direction: the instance is killed. formats/door.md describes
 * it. */
#ifndef CELLA_KEEPER_CONTROL_H
#define CELLA_KEEPER_CONTROL_H

#include <stdint.h>

#define CELLA_KEEPER_DOOR_FD    3
#define CELLA_KEEPER_CONTROL_FD 4

enum cella_control_kind { CELLA_CONTROL_STARTED = 1, CELLA_CONTROL_ENDED = 2 };

/* Which parts of the sandbox the kernel granted. */
enum cella_sandbox_part {
    CELLA_SANDBOX_NAMESPACES = 1,
    CELLA_SANDBOX_EMPTY_ROOT = 2,
    CELLA_SANDBOX_OWN_USER = 4
};

struct cella_control_message {
    uint32_t kind;
    uint32_t status;       /* ENDED: why; CELLA_OK after an orderly end */
    uint8_t code_hash[32]; /* STARTED: as measured and launched */
    uint8_t code_signer[32];
    uint16_t product_id;
    uint16_t security_version;
    uint32_t debug;
    uint32_t sandbox;       /* STARTED: bits of cella_sandbox_part */
    uint32_t process;       /* STARTED: the instance process */
    uint64_t max_mail_size; /* STARTED: of the settings */
    uint32_t max_queued;    /* STARTED: requests that may be under way at once, from the settings */
    uint32_t vault_kind;    /* STARTED: enum cella_vault_kind, from the settings */
    char reason[256];       /* ENDED: one sentence, terminated */
};

#endif
