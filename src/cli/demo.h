/* What the files of `cella demo` share: its state, and how it tells its story. Must not: count a step as
 * passed of which any check was not made or did not hold. */
#ifndef CELLA_CLI_DEMO_H
#define CELLA_CLI_DEMO_H

#include "cli/demo_plain.h"
#include <cella/client.h>
#include <cella/constraint.h>
#include <cella/host.h>
#include <jansson.h>
#include <limits.h>
#include <stdint.h>

#define DEMO_SURVEY  "spring-2026"
#define DEMO_ENCLAVE "pay-survey"

enum { DEMO_TEXT_SIZE = 4096, DEMO_KEY_TEXT = 2 * CELLA_CLIENT_KEY_SIZE + 1 };

struct cella_http;
struct cella_rsa;
struct demo_ledger;

/* The story so far, as JSON and on the terminal. */
struct demo_story {
    bool json; /* nothing on stdout but the JSON at the end */
    bool colour;
    bool failed;  /* some check did not hold: nothing more is run */
    size_t count; /* of steps */
    json_t *steps;
    json_t *step; /* the one that runs */
    int64_t started_ns, step_ns;
};

/* Everything that the steps hand on. Paths lie in the demo's own folder. */
struct demo {
    struct demo_story story;
    char folder[PATH_MAX - 256]; /* temporary */
    char files[PATH_MAX - 256];  /* for each example a folder: program, template of settings, data */
    struct demo_people people;

    char keys[DEMO_PARTY_COUNT][DEMO_KEY_TEXT];
    char terms[DEMO_TEXT_SIZE];
    struct cella_rsa *signer;
    uint8_t code_hash[32];
    char constraint[256];

    struct cella_host *host;
    struct cella_http *http;
    struct cella_host_enclave *enclave;
    char url[64];
    char *results[DEMO_PARTY_COUNT];

    struct demo_ledger *ledger; /* demo_ledger.h */
};

/* --- the story (demo_story.c) --- */

void demo_step(struct demo_story *story, const char *title);
/* A line that explains. */
void demo_fact(struct demo_story *story, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A long sentence that somebody else said, as a fact. */
void demo_quote(struct demo_story *story, const char *sentence);
/* A line that says what was checked; the story fails unless `held`. Returns `held`. */
bool demo_check(struct demo_story *story, bool held, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A check that the call gave this status; a line of its own quotes the message of a refusal. */
bool demo_expect(struct demo_story *story, enum cella_status status, enum cella_status expected,
                 const struct cella_error *error, const char *sentence);
/* Fails the story with the error's message unless the status is CELLA_OK. */
bool demo_ok(struct demo_story *story, enum cella_status status, const struct cella_error *error,
             const char *what);
/* Ends the step; `proves` says in a sentence what it has shown. */
void demo_end(struct demo_story *story, const char *proves);

/* --- paths and images (demo_image.c) --- */

/* A path in the demo's folder. */
struct demo_path {
    char text[PATH_MAX];
};
struct demo_path demo_path(const struct demo *demo, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A file that comes with the demo; `example` is its folder. */
struct demo_path demo_file(const struct demo *demo, const char *example, const char *name);

/* What an image is made of: the example's program and settings, with a value for each @NAME@ in them. */
struct demo_value {
    const char *name;
    const char *value;
};
struct demo_recipe {
    const char *example; /* EXAMPLE/EXAMPLE.elf and EXAMPLE/enclave.conf.in */
    const struct demo_value *values;
    size_t value_count;
    const struct cella_rsa *signer;
};
/* Builds an image, signs it and writes it. */
enum cella_status demo_image_make(const struct demo *demo, const struct demo_recipe *recipe, const char *path,
                                  uint8_t ret_code_hash[32], struct cella_error *error);
/* The survey's image with these four keys. */
enum cella_status demo_survey_make(const struct demo *demo, char keys[DEMO_PARTY_COUNT][DEMO_KEY_TEXT],
                                   const struct cella_rsa *signer, const char *path,
                                   uint8_t ret_code_hash[32], struct cella_error *error);
/* Changes one byte of the program inside an image file and writes it elsewhere; with a signer it is measured
 * and signed again. */
enum cella_status demo_image_tamper(const char *from, const struct cella_rsa *signer, const char *to,
                                    struct cella_error *error);
/* The constraint that accepts one code hash on a simulated machine. */
void demo_constraint(const uint8_t code_hash[32], char *out, size_t capacity);

/* --- clients (demo_party.c) --- */

/* Opens a party's client; `enclave` is a name at the host, `transport` may be NULL for HTTP. */
enum cella_status demo_party_open(const struct demo *demo, size_t party, const char *enclave,
                                  const struct cella_client_transport *transport,
                                  struct cella_client **ret_client, struct cella_error *error);
/* Reads a party's private file, from malloc. */
enum cella_status demo_party_file(const struct demo *demo, size_t party, uint8_t **ret_data, size_t *ret_size,
                                  struct cella_error *error);
/* Sends as the party's program does: terms first, and once. */
bool demo_party_send(struct demo *demo, size_t party, const char *expected_end);

/* --- the steps, in their order; false when the story failed --- */
bool demo_agree(struct demo *demo);
bool demo_machine(struct demo *demo);
bool demo_image(struct demo *demo);
bool demo_host(struct demo *demo);
bool demo_attest(struct demo *demo);
bool demo_refuse_tampered_image(struct demo *demo);
bool demo_refuse_wrong_constraint(struct demo *demo);
bool demo_refuse_false_party(struct demo *demo);
bool demo_send_three(struct demo *demo);
bool demo_refuse_early_result(struct demo *demo);
bool demo_refuse_changed_mail(struct demo *demo);
bool demo_refuse_bad_row(struct demo *demo);
bool demo_send_fourth(struct demo *demo);
bool demo_check_result(struct demo *demo);
bool demo_refuse_second_file(struct demo *demo);
bool demo_ledger_agree(struct demo *demo);
bool demo_ledger_open(struct demo *demo);
bool demo_ledger_feed(struct demo *demo);
bool demo_ledger_audit(struct demo *demo);
bool demo_ledger_refuse_stale(struct demo *demo);
bool demo_ledger_notice(struct demo *demo);
bool demo_ledger_restore(struct demo *demo);
/* Ends what the ledger's steps have started; also when they did not get that far. */
void demo_ledger_end(struct demo *demo);

#endif
