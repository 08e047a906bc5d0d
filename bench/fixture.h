/* A host with the echo enclave on a simulated machine of its own, and clients that talk to it. */
#ifndef CELLA_BENCH_FIXTURE_H
#define CELLA_BENCH_FIXTURE_H

#include "crypto/x25519.h"
#include "harness.h"
#include "mail/session.h"
#include <cella/host.h>

enum { FIXTURE_BODY_SIZE = 1024 };

struct fixture {
    char folder[64];
    char machine[80];
    struct cella_host *host;
    struct cella_host_enclave *enclave;
    uint8_t session_key[32];
};

/* A folder and a machine; nothing runs. */
void fixture_machine_init(struct fixture *fixture);
/* The same with a host, in which the echo enclave runs. */
void fixture_init(struct fixture *fixture);
void fixture_deinit(struct fixture *fixture);

/* Path of the echo enclave's image. */
const char *fixture_image(void);

/* The session key in the attestation that the host gives out. */
void fixture_session_key(struct cella_host_enclave *enclave, uint8_t ret_key[32]);

/* One client with an open session. */
struct fixture_client {
    struct cella_x25519_key key;
    struct cella_mail_session *session;
    uint8_t route[CELLA_HOST_ROUTE_SIZE];
    uint8_t *mail;
    size_t mail_size;
};

/* Makes the key and exchanges the first mail through host.h. */
void fixture_client_init(struct fixture_client *client, const struct fixture *fixture);
void fixture_client_deinit(struct fixture_client *client);

/* Seals the next request of FIXTURE_BODY_SIZE bytes; it is the client's until the next call. */
struct cella_bytes fixture_client_seal(struct fixture_client *client);
/* Opens a reply and checks that it is the echo. */
void fixture_client_open(struct fixture_client *client, struct cella_bytes reply);

#endif
