/* A mailbox and a client that write to each other without a host in between: helpers of the mail tests. */
#ifndef CELLA_TEST_OFFICE_H
#define CELLA_TEST_OFFICE_H

#include "support/test.h"
#include "mail/fixed.h"
#include "mail/mailbox.h"
#include "mail/session.h"

struct office {
    struct cella_x25519_key enclave;
    struct cella_x25519_key mailbox_key;
    struct cella_x25519_key client;
    struct cella_mailbox *mailbox;
    struct cella_mail_session *session;
    uint8_t route[CELLA_MAIL_ROUTE_SIZE]; /* by which the host delivers, and expects posts to go */
    struct cella_error error;             /* of the last failure */
};

#define OFFICE_GENERATION 7

/* cmocka fixtures: *state is a struct office *. */
int office_setup(void **state);
int office_teardown(void **state);
/* The same with limits. */
void office_open(struct office *office, const struct cella_mailbox_limits *limits);
void office_close(struct office *office);
/* A further client of the same enclave. */
void office_client(const struct office *office, struct cella_x25519_key *ret_key,
                   struct cella_mail_session **ret_session);

/* What the client sends, with its defaults. */
struct cella_mail_request office_request(const char *topic);
/* Seals; fails the test unless it works. The result lives until the program ends. */
struct cella_bytes office_seal(struct office *office, const char *topic, struct cella_bytes body);
struct cella_bytes office_seal_as(struct office *office, const struct cella_mail_request *request,
                                  struct cella_bytes body);
struct cella_bytes office_hello(struct office *office);

/* Feeds a mail in chunks of `chunk` bytes (0: whole) and begins it. The caller frees the mail. */
enum cella_status office_begin(struct office *office, struct cella_bytes mail, size_t chunk,
                               struct cella_mailbox_mail **ret_mail, enum cella_mailbox_verdict *ret_verdict);
/* The same, then commits with `reply` (NULL: none) and seals the answer. */
enum cella_status office_deliver(struct office *office, struct cella_bytes mail,
                                 const struct cella_bytes *reply, struct cella_bytes *ret_answer);
/* The same where success is expected. */
struct cella_bytes office_answer(struct office *office, struct cella_bytes mail,
                                 const struct cella_bytes *reply);
/* Delivers and frees; only the status counts. */
enum cella_status office_try(struct office *office, struct cella_bytes mail);
/* Seals an answer to a begun mail. */
struct cella_bytes office_answer_sealed(struct office *office, struct cella_mailbox_mail *mail,
                                        const struct cella_bytes *reply);
/* A post to the client, prepared. The caller finishes or cancels it. */
struct cella_mailbox_prepared *office_prepare(struct office *office, const char *topic,
                                              struct cella_bytes body);
/* A whole post to the client. */
struct cella_bytes office_post(struct office *office, const char *topic, struct cella_bytes body);

/* Opens at the client, in chunks of `chunk` bytes (0: whole). */
enum cella_status office_open_mail(struct office *office, struct cella_bytes mail, size_t chunk,
                                   struct cella_mail_letter *ret_letter);
/* Expects success and this content. */
void office_expect(struct office *office, struct cella_bytes mail, enum cella_mail_role role,
                   const char *topic, uint64_t sequence, struct cella_bytes body);
/* A whole request and its reply, both checked. */
void office_round(struct office *office, const char *topic, uint64_t sequence);
/* Brings the session to phase OPEN. */
void office_connect(struct office *office);

#endif
