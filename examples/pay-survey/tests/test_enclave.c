/* The pay survey as it runs: the image on a simulated machine, through an embedded host and the parties' own
 * code. */
#include "base/file.h"
#include "base/hex.h"
#include "image/build.h"
#include "image/conf.h"
#include "machine/sim/manage.h"
#include "party.h"
#include "support/test.h"
#include "survey.h"
#include <cella/host.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STRANGER = SURVEY_PARTY_COUNT, CLIENT_COUNT };

/* One survey that runs. */
static struct {
    struct test_folder folder;
    struct cella_host *host;
    struct cella_host_enclave *enclave;
    struct cella_client_transport transport;
    struct cella_client *clients[CLIENT_COUNT];
    char constraint[128];
    char terms[SURVEY_TERMS_LIMIT];
} field;

static const char *const names[SURVEY_PARTY_COUNT] = {"A", "B", "C", "D"};

static struct cella_client *open_client(size_t index) {
    char name[16];
    struct cella_client *client = NULL;
    struct cella_error error = {.message = ""};
    snprintf(name, sizeof name, "client-%zu", index);
    struct cella_client_options options = {.state_path = test_path(&field.folder, name),
                                           .constraint = field.constraint,
                                           .transport = &field.transport};
    enum cella_status status = access(options.state_path, F_OK) == 0
                                   ? cella_client_open(&options, &client, &error)
                                   : cella_client_new(&options, &client, &error);
    if (status != CELLA_OK)
        fail_msg("client: %s", error.message);
    return client;
}

static void key_of(size_t index, char out[65]) {
    uint8_t key[CELLA_CLIENT_KEY_SIZE];
    cella_client_public_key(field.clients[index], key);
    cella_hex_encode(key, sizeof key, out);
}

/* enclave.conf.in with the keys of the first four clients. */
static char *settings_text(void) {
    uint8_t *template = NULL;
    size_t size = 0, text_size = 0;
    char *text = NULL, key[65];
    assert_status(cella_file_read(PAY_SURVEY_FOLDER "/enclave.conf.in", 65536, &template, &size, NULL),
                  CELLA_OK);
    FILE *out = open_memstream(&text, &text_size);
    assert_non_null(out);
    *strstr((char *)template, "[application]") = '\0';
    fprintf(out, "%s[application]\nsurvey.id = test\n", (const char *)template);
    for (size_t i = 0; i < SURVEY_PARTY_COUNT; i++) {
        key_of(i, key);
        fprintf(out, "party.%zu.name = %s\nparty.%zu.key = %s\n", i + 1, names[i], i + 1, key);
    }
    fclose(out);
    free(template);
    return text;
}

/* Builds and signs the image, and sets the constraint. */
static void make_image(const char *path) {
    struct cella_settings settings = {0};
    struct cella_image image;
    struct cella_sigstruct sigstruct;
    struct cella_rsa *signer = NULL;
    uint8_t *elf = NULL, *file = NULL;
    size_t elf_size = 0, size = 0;
    char *text = settings_text(), digits[65];
    assert_status(cella_conf_parse("enclave.conf", CELLA_BYTES(text, strlen(text)), &settings, NULL),
                  CELLA_OK);
    assert_status(cella_file_read(PAY_SURVEY_ELF, CELLA_ELF_SIZE_LIMIT, &elf, &elf_size, NULL), CELLA_OK);
    assert_status(cella_image_build(CELLA_BYTES(elf, elf_size), &settings, CELLA_IMAGE_DEFAULT_DATE, &file,
                                    &size, NULL),
                  CELLA_OK);
    assert_status(cella_image_open(CELLA_BYTES(file, size), &image, NULL), CELLA_OK);
    assert_status(cella_rsa_generate(&signer), CELLA_OK);
    sigstruct = image.sigstruct;
    assert_status(cella_sigstruct_sign(&sigstruct, signer, NULL), CELLA_OK);
    assert_status(cella_image_set_sigstruct(file, size, &sigstruct, NULL), CELLA_OK);
    test_write_file(path, CELLA_BYTES(file, size));
    cella_hex_encode(sigstruct.enclave_hash, sizeof sigstruct.enclave_hash, digits);
    snprintf(field.constraint, sizeof field.constraint, "C:%s SEC:INSECURE", digits);
    cella_rsa_free(signer);
    cella_settings_deinit(&settings);
    free(file);
    free(elf);
    free(text);
}

static void reopen_clients(void) {
    for (size_t i = 0; i < CLIENT_COUNT; i++) {
        cella_client_free(field.clients[i]);
        field.clients[i] = open_client(i);
    }
}

static void start_instance(void) {
    struct cella_error error = {.message = ""};
    if (cella_host_start(field.host, "survey", test_path(&field.folder, "image"),
                         test_path(&field.folder, "machine"), &field.enclave, &error) != CELLA_OK)
        fail_msg("start: %s", error.message);
    field.transport = cella_client_transport_host(field.enclave);
}

static int start_survey(void **state) {
    struct cella_host_options options = {.enclave_limit = 0};
    test_folder_make(&field.folder);
    struct cella_sim_create_options machine = {.folder = test_path(&field.folder, "machine"),
                                               .platform_version = CELLA_SIM_VERSION_NEW};
    struct survey_terms terms = {.id = "test"};
    struct survey_text text;
    char key[65];
    /* Keys come first, and the image is made of them. */
    snprintf(field.constraint, sizeof field.constraint, "C:%064d SEC:INSECURE", 0);
    for (size_t i = 0; i < CLIENT_COUNT; i++)
        field.clients[i] = open_client(i);
    make_image(test_path(&field.folder, "image"));
    for (size_t i = 0; i < SURVEY_PARTY_COUNT; i++) {
        key_of(i, key);
        assert_status(survey_terms_set_party(&terms, i, names[i], key), CELLA_OK);
    }
    survey_text_init(&text, field.terms, sizeof field.terms);
    survey_terms_write(&terms, &text);
    assert_status(cella_sim_create(&machine, NULL), CELLA_OK);
    assert_status(cella_host_new(&options, &field.host, NULL), CELLA_OK);
    start_instance();
    reopen_clients();
    return 0;
}

static int stop_survey(void **state) {
    for (size_t i = 0; i < CLIENT_COUNT; i++)
        cella_client_free(field.clients[i]);
    cella_host_free(field.host);
    test_folder_remove(&field.folder);
    memset(&field, 0, sizeof field);
    return 0;
}

/* --- what the tests do --- */

static const char *mark_of(size_t party) {
    static char name[16];
    snprintf(name, sizeof name, "mark-%zu", party);
    return test_path(&field.folder, name);
}

/* A file of `people` rows; `digits` decimals make it as large as wanted. */
static struct cella_bytes file_of(size_t people, int digits) {
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    fputs(SURVEY_CSV_HEADER "\n", file);
    for (size_t i = 0; i < people; i++)
        fprintf(file, "%.*f,%s,%zu,%zu\n", digits, 5.0 + (double)(i % 977) / 13,
                i % 2 == 0 ? "male" : "female", 21 + i / 2 % 44, 6 + i / 88 % 15);
    fclose(file);
    return CELLA_BYTES(text, size);
}

/* The reply's text lives until the program ends. */
static enum cella_status request(size_t client, const char *topic, struct cella_bytes body,
                                 const char **ret_reply) {
    struct cella_client_request mail = {.topic = topic, .body = body};
    struct cella_client_mail reply = {.topic = NULL};
    struct cella_error error;
    bool replied = false;
    enum cella_status status = cella_client_request(field.clients[client], &mail, &replied, &reply, &error);
    *ret_reply = "";
    if (status == CELLA_OK && replied) {
        struct cella_bytes copy = test_copy(CELLA_BYTES(reply.body, reply.body_size + 1));
        ((char *)copy.data)[reply.body_size] = '\0';
        *ret_reply = (const char *)copy.data;
    }
    cella_client_mail_deinit(&reply);
    return status;
}

static enum party_outcome send_file(size_t party, const char *agreed, struct cella_bytes file,
                                    struct cella_error *error) {
    char *words = NULL;
    *error = (struct cella_error){.message = ""};
    enum party_outcome outcome =
        party_send(field.clients[party], agreed, mark_of(party), file, &words, error);
    free(words);
    free((void *)file.data);
    return outcome;
}

static void send_all(size_t from, size_t people, int digits) {
    struct cella_error error;
    for (size_t party = from; party < SURVEY_PARTY_COUNT; party++) {
        enum party_outcome outcome = send_file(party, field.terms, file_of(people, digits), &error);
        if (outcome != PARTY_OK)
            fail_msg("party %zu: %s", party, error.message);
    }
}

static void get_result(size_t party, bool by_post) {
    struct cella_error error = {.message = ""};
    char *result = NULL;
    bool posted = false;
    enum party_outcome outcome = party_result(field.clients[party], 10000, &result, &posted, &error);
    if (outcome != PARTY_OK)
        fail_msg("party %zu: %s", party, error.message);
    assert_int_equal(posted, by_post);
    assert_int_equal(strncmp(result, "survey,education,gender,age,people,", 35), 0);
    assert_non_null(strstr(result, "\ntest,all,all,all,"));
    free(result);
}

static enum cella_status call(const char *text) {
    uint8_t *reply = NULL;
    size_t size = 0;
    struct cella_error error;
    enum cella_status status =
        cella_host_call_wait(field.enclave, CELLA_BYTES(text, strlen(text)), &reply, &size, &error);
    assert_int_equal(size, 0);
    free(reply);
    return status;
}

static void expect_files(size_t count) {
    const char *reply;
    char expected[32];
    snprintf(expected, sizeof expected, "not-yet\nfiles %zu of 4\n", count);
    assert_status(request(0, "result", CELLA_BYTES(NULL, 0), &reply), CELLA_OK);
    assert_string_equal(reply, expected);
}

/* --- tests --- */

static void everybody_may_read_the_terms(void **state) {
    for (size_t i = 0; i < CLIENT_COUNT; i++) {
        const char *reply;
        assert_status(request(i, "terms", CELLA_BYTES(NULL, 0), &reply), CELLA_OK);
        assert_string_equal(reply, field.terms);
    }
}

static void a_stranger_can_send_no_file_and_ask_for_no_result(void **state) {
    const char *reply;
    struct cella_bytes file = file_of(500, 2);
    assert_status(request(STRANGER, "file", file, &reply), CELLA_HANDLER_FAILED);
    assert_status(request(STRANGER, "result", CELLA_BYTES(NULL, 0), &reply), CELLA_HANDLER_FAILED);
    free((void *)file.data);
    expect_files(0);
    send_all(0, 500, 2);
    assert_status(request(STRANGER, "result", CELLA_BYTES(NULL, 0), &reply), CELLA_HANDLER_FAILED);
}

static void another_topic_is_refused(void **state) {
    const char *reply;
    assert_status(request(0, "rows", CELLA_BYTES(NULL, 0), &reply), CELLA_HANDLER_FAILED);
    expect_files(0);
}

static void the_host_gets_nothing_by_call_before_or_after_the_result(void **state) {
    static const char *const calls[] = {"", "result", "file", "terms"};
    for (size_t i = 0; i < 4; i++)
        assert_status(call(calls[i]), CELLA_HANDLER_FAILED);
    send_all(0, 500, 2);
    for (size_t i = 0; i < 4; i++)
        assert_status(call(calls[i]), CELLA_HANDLER_FAILED);
}

static void every_party_gets_the_result_by_post_and_again_on_request(void **state) {
    send_all(0, 500, 2);
    for (size_t i = 0; i < SURVEY_PARTY_COUNT; i++) {
        get_result(i, true);
        const char *reply;
        assert_status(request(i, "result", CELLA_BYTES(NULL, 0), &reply), CELLA_OK);
        assert_non_null(strstr(reply, "\ntest,all,all,all,2000,"));
    }
}

static void parties_whose_programs_ran_many_times_still_read_the_post(void **state) {
    const char *reply;
    struct cella_error error;
    assert_int_equal(send_file(0, field.terms, file_of(500, 2), &error), PARTY_OK);
    for (size_t i = 0; i < 6; i++) {
        reopen_clients();
        assert_status(request(0, "result", CELLA_BYTES(NULL, 0), &reply), CELLA_OK);
    }
    send_all(1, 500, 2);
    reopen_clients();
    for (size_t i = 0; i < SURVEY_PARTY_COUNT; i++)
        get_result(i, true);
}

static void a_second_file_is_refused_by_the_party_and_by_the_enclave(void **state) {
    const char *reply;
    struct cella_error error;
    struct cella_bytes file = file_of(700, 2);
    assert_int_equal(send_file(1, field.terms, file_of(500, 2), &error), PARTY_OK);
    assert_int_equal(send_file(1, field.terms, file_of(500, 2), &error), PARTY_SENT_BEFORE);
    assert_status(request(1, "file", file, &reply), CELLA_OK);
    free((void *)file.data);
    assert_string_equal(reply, "refused\na file of B is in already; a file cannot be replaced\n");
    expect_files(1);
}

static void a_file_with_a_bad_row_may_be_corrected(void **state) {
    struct cella_error error;
    struct cella_bytes bad = file_of(500, 2);
    memcpy(strstr((char *)bad.data, "female"), "femina", 6);
    assert_int_equal(send_file(2, field.terms, bad, &error), PARTY_FILE_REFUSED);
    assert_int_not_equal(access(mark_of(2), F_OK), 0);
    expect_files(0);
    assert_int_equal(send_file(2, field.terms, file_of(500, 2), &error), PARTY_OK);
    assert_int_equal(access(mark_of(2), F_OK), 0);
}

static void nothing_is_sent_when_the_terms_are_not_the_agreed_ones(void **state) {
    struct cella_error error;
    char agreed[SURVEY_TERMS_LIMIT];
    memcpy(agreed, field.terms, sizeof agreed);
    *strstr(agreed, "survey test") = 'S';
    assert_int_equal(send_file(0, agreed, file_of(500, 2), &error), PARTY_TERMS_DIFFER);
    assert_non_null(strstr(error.message, "line 2"));
    memcpy(agreed, field.terms, sizeof agreed);
    agreed[strlen(agreed) - 1] = '\0';
    assert_int_equal(send_file(0, agreed, file_of(500, 2), &error), PARTY_TERMS_DIFFER);
    assert_int_not_equal(access(mark_of(0), F_OK), 0);
    expect_files(0);
}

static void a_constraint_must_name_one_code_hash(void **state) {
    static const char hash[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    struct cella_error error;
    char line[512];
    snprintf(line, sizeof line, "C:%s", hash);
    assert_int_equal(party_check_constraint(line, &error), PARTY_OK);
    snprintf(line, sizeof line, "S:%s PROD:1", hash);
    assert_int_equal(party_check_constraint(line, &error), PARTY_CONSTRAINT);
    snprintf(line, sizeof line, "C:%s S:%s PROD:1", hash, hash);
    assert_int_equal(party_check_constraint(line, &error), PARTY_CONSTRAINT);
    snprintf(line, sizeof line, "C:%s C:f%.63s", hash, hash);
    assert_int_equal(party_check_constraint(line, &error), PARTY_CONSTRAINT);
    assert_int_equal(party_check_constraint("C:12", &error), PARTY_TROUBLE);
}

static void a_restarted_enclave_has_forgotten_and_parties_do_not_send_again(void **state) {
    struct cella_error error;
    send_all(1, 500, 2);
    assert_status(cella_host_stop(field.enclave, 10000), CELLA_OK);
    start_instance();
    expect_files(0);
    for (size_t party = 1; party < SURVEY_PARTY_COUNT; party++)
        assert_int_equal(send_file(party, field.terms, file_of(700, 2), &error), PARTY_SENT_BEFORE);
    expect_files(0);
}

static void the_largest_files_are_taken(void **state) {
    send_all(0, SURVEY_CSV_MAX_ROWS, 14);
    get_result(3, true);
}

static void a_larger_mail_is_refused_and_the_survey_goes_on(void **state) {
    const char *reply;
    size_t size = (12u << 20) + 1;
    uint8_t *large = calloc(size, 1);
    assert_non_null(large);
    assert_int_not_equal(request(0, "file", CELLA_BYTES(large, size), &reply), CELLA_OK);
    free(large);
    expect_files(0);
    send_all(0, 500, 2);
    get_result(0, true);
}

int main(void) {
#define WITH_SURVEY(test) cmocka_unit_test_setup_teardown(test, start_survey, stop_survey)
    const struct CMUnitTest tests[] = {
        WITH_SURVEY(everybody_may_read_the_terms),
        WITH_SURVEY(a_stranger_can_send_no_file_and_ask_for_no_result),
        WITH_SURVEY(another_topic_is_refused),
        WITH_SURVEY(the_host_gets_nothing_by_call_before_or_after_the_result),
        WITH_SURVEY(every_party_gets_the_result_by_post_and_again_on_request),
        WITH_SURVEY(parties_whose_programs_ran_many_times_still_read_the_post),
        WITH_SURVEY(a_second_file_is_refused_by_the_party_and_by_the_enclave),
        WITH_SURVEY(a_file_with_a_bad_row_may_be_corrected),
        WITH_SURVEY(nothing_is_sent_when_the_terms_are_not_the_agreed_ones),
        cmocka_unit_test(a_constraint_must_name_one_code_hash),
        WITH_SURVEY(a_restarted_enclave_has_forgotten_and_parties_do_not_send_again),
        WITH_SURVEY(the_largest_files_are_taken),
        WITH_SURVEY(a_larger_mail_is_refused_and_the_survey_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
