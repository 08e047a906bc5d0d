/* Mail without a host or an instance: the client's sealing and the enclave's opening, both in this process.
 */
#include "harness.h"
#include "mail/mailbox.h"
#include "mail/session.h"
#include "raw.h"
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum { LARGE_SIZE = 16 << 20, ONE_SHOTS = 4000 };

/* A client and the enclave's mailbox, side by side. */
struct mail_pair {
    struct cella_x25519_key client_key;
    struct cella_x25519_key enclave_key;
    struct cella_mail_session *session;
    struct cella_mailbox *mailbox;
    uint8_t *mail;
    size_t mail_size;
    uint8_t *body;
    uint8_t *out;
    struct raw_x25519 x25519;
    struct raw_aead aead;
};

static void pair_init(struct mail_pair *pair) {
    memset(pair, 0, sizeof *pair);
    /* Memory stays mapped, as the heap of an enclave does: what is measured is mail, not the kernel's handing
     * out of fresh pages for each one. */
    bench_require(mallopt(M_MMAP_THRESHOLD, 32 << 20) == 1 && mallopt(M_TRIM_THRESHOLD, INT_MAX) == 1,
                  "mallopt");
    bench_check(cella_x25519_generate(&pair->client_key), NULL, "client key");
    bench_check(cella_x25519_generate(&pair->enclave_key), NULL, "enclave key");
    bench_check(cella_mail_session_new(&pair->client_key, pair->enclave_key.public_key, &pair->session), NULL,
                "session");
    const struct cella_mailbox_options options = {.session_key = &pair->enclave_key};
    bench_check(cella_mailbox_new(&options, &pair->mailbox, NULL), NULL, "mailbox");
    pair->body = calloc(1, LARGE_SIZE);
    pair->out = calloc(1, LARGE_SIZE + 16);
    bench_require(pair->body != NULL && pair->out != NULL, "memory");
    raw_x25519_init(&pair->x25519);
    raw_aead_init(&pair->aead);
}

static void pair_deinit(struct mail_pair *pair) {
    raw_aead_deinit(&pair->aead);
    raw_x25519_deinit(&pair->x25519);
    free(pair->out);
    free(pair->body);
    free(pair->mail);
    cella_mailbox_free(pair->mailbox);
    cella_mail_session_free(pair->session);
    cella_x25519_deinit(&pair->enclave_key);
    cella_x25519_deinit(&pair->client_key);
}

static void seal(struct mail_pair *pair, size_t size) {
    const struct cella_mail_request request = {
        .topic = "bench", .way = CELLA_MAIL_WAY_ONE_SHOT, .padding = CELLA_MAIL_PADDING_CLASS};
    struct cella_error error = {0};
    free(pair->mail);
    pair->mail = NULL;
    bench_check(cella_mail_session_seal(pair->session, &request, CELLA_BYTES(pair->body, size), &pair->mail,
                                        &pair->mail_size, &error),
                &error, "sealing");
}

/* All that the enclave does with an arriving mail but run a handler. */
static void open_mail(struct mail_pair *pair, struct cella_bytes bytes) {
    static const uint8_t route[CELLA_MAIL_ROUTE_SIZE];
    struct cella_mailbox_mail *mail = NULL;
    struct cella_error error = {0};
    enum cella_mailbox_verdict verdict;
    bench_check(cella_mailbox_mail_new(pair->mailbox, route, &mail), NULL, "opening");
    cella_mailbox_mail_expect(mail, bytes.size);
    bench_check(cella_mailbox_mail_feed(mail, bytes, &error), &error, "opening");
    bench_check(cella_mailbox_mail_begin(mail, &verdict, &error), &error, "opening");
    bench_require(verdict == CELLA_MAILBOX_RUN && cella_mailbox_mail_view(mail) != NULL, "opening");
    bench_check(cella_mailbox_mail_commit(mail, NULL), NULL, "commit");
    cella_mailbox_mail_free(mail);
}

static void agree_twice(void *context, uint64_t count) {
    struct mail_pair *pair = context;
    for (uint64_t i = 0; i < 2 * count; i++)
        raw_x25519_run(&pair->x25519);
}

/* Every mail is opened once, as in life: the bytes of an opened one are a replay. */
static double one_shot_opened(void *context) {
    struct mail_pair *pair = context;
    struct cella_bytes *mails = calloc(ONE_SHOTS, sizeof *mails);
    bench_require(mails != NULL, "memory");
    for (size_t i = 0; i < ONE_SHOTS; i++) {
        seal(pair, 1024);
        mails[i] = CELLA_BYTES(pair->mail, pair->mail_size);
        pair->mail = NULL;
    }
    double start = bench_now();
    for (size_t i = 0; i < ONE_SHOTS; i++)
        open_mail(pair, mails[i]);
    double seconds = bench_now() - start;
    for (size_t i = 0; i < ONE_SHOTS; i++)
        free((void *)mails[i].data);
    free(mails);
    return ONE_SHOTS / seconds;
}

static double two_agreements(void *context) {
    return bench_rate(agree_twice, context);
}

static void seal_and_open(void *context, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        struct mail_pair *pair = context;
        seal(pair, LARGE_SIZE);
        open_mail(pair, CELLA_BYTES(pair->mail, pair->mail_size));
    }
}

static void raw_seal_and_open(void *context, uint64_t count) {
    struct mail_pair *pair = context;
    for (uint64_t i = 0; i < count; i++) {
        raw_aead_seal(&pair->aead, pair->body, LARGE_SIZE, pair->out);
        raw_aead_open(&pair->aead, pair->out, LARGE_SIZE, pair->body);
    }
}

static double large_mail(void *context) {
    return bench_rate(seal_and_open, context) * LARGE_SIZE;
}

static double large_raw(void *context) {
    return bench_rate(raw_seal_and_open, context) * LARGE_SIZE;
}

void bench_mail(void) {
    if (!bench_wanted("mail/one-shot-open") && !bench_wanted("mail/large-16MiB"))
        return;
    struct mail_pair pair;
    pair_init(&pair);
    bench_compare(&(struct bench_pair){.name = "mail/one-shot-open",
                                       .unit = "mails/s",
                                       .against = "two raw X25519 operations",
                                       .aim = 0.8,
                                       .work = one_shot_opened,
                                       .base = two_agreements,
                                       .context = &pair});
    bench_compare(&(struct bench_pair){.name = "mail/large-16MiB",
                                       .unit = "bytes/s",
                                       .against = "raw AES-256-GCM: sealed and opened once each",
                                       .aim = 0.6,
                                       .work = large_mail,
                                       .base = large_raw,
                                       .context = &pair});
    pair_deinit(&pair);
}
