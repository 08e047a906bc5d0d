/* A ledger that runs: its image on a simulated machine, an embedded host, the issuer and clients. Whatever
 * must succeed fails the running test if it does not. */
#ifndef LEDGER_TESTS_PLACE_H
#define LEDGER_TESTS_PLACE_H

#include "support/test.h"
#include <cella/client.h>
#include <cella/host.h>

enum { PLACE_BRANCHES = 4, PLACE_ISSUER = PLACE_BRANCHES, PLACE_CLIENTS };

struct place {
    struct test_folder folder;
    struct cella_host *host;
    struct cella_host_enclave *enclave;
    struct cella_client_transport transport;
    struct cella_client *clients[PLACE_CLIENTS]; /* four branches and the issuer */
    char constraint[128];
};
extern struct place place;

/* cmocka fixtures. */
int place_setup(void **state);
int place_teardown(void **state);

/* Opens a client anew from its file. */
void place_reopen(unsigned client);
const char *place_path(const char *name);
/* SIGKILL to the instance; returns when another one serves. */
void place_kill(void);

/* The reply's text lives until the program ends; "" if there is none. */
enum cella_status place_send(unsigned client, const char *text, const char **ret_reply);
enum cella_status place_ask(unsigned client, const char *question, const char **ret_answer);
/* Sends, and the reply must be this. */
#define assert_reply(client, text, expected)                                                                 \
    do {                                                                                                     \
        const char *reply_;                                                                                  \
        assert_status(place_send((client), (text), &reply_), CELLA_OK);                                      \
        assert_string_equal(reply_, (expected));                                                             \
    } while (0)
#define assert_answer(client, question, expected)                                                            \
    do {                                                                                                     \
        const char *answer_;                                                                                 \
        assert_status(place_ask((client), (question), &answer_), CELLA_OK);                                  \
        assert_string_equal(answer_, (expected));                                                            \
    } while (0)

/* A whole file. */
struct cella_bytes place_read(const char *path);

#endif
