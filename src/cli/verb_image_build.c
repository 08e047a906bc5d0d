/* cella image build: an ELF program and enclave.conf become one measured, unsigned file. */
#include "base/calendar.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/verb_image.h"
#include "image/build.h"
#include "image/conf.h"
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: cella image build PROGRAM.elf --config enclave.conf --out FILE [OPTIONS]\n"
    "\n"
    "Puts a program that was linked for images (see cella_add_enclave) and its settings into\n"
    "one file, strips debug information, measures it and prints the code hash. The same input\n"
    "gives the same bytes. The image is not signed yet: cella image sign does that.\n"
    "\n"
    "  --config FILE       the settings\n"
    "  --out FILE          the image to write; replaces an image, nothing else\n"
    "  --date YYYY-MM-DD   date in the signature; otherwise that of SOURCE_DATE_EPOCH, otherwise\n"
    "                      1970-01-01, so that builds do not differ by the day\n"
    "  --dry-run           check and measure, write nothing\n"
    "  --json              print the result as JSON\n";

struct options {
    const char *program;
    const char *config;
    const char *out;
    const char *date;
    bool dry_run;
    bool json;
};

/* Returns -1 to go on, or the exit code. */
static int parse_options(int argc, char **argv, struct options *options) {
    static const struct option table[] = {{"config", required_argument, NULL, 'c'},
                                          {"out", required_argument, NULL, 'o'},
                                          {"date", required_argument, NULL, 'd'},
                                          {"dry-run", no_argument, NULL, 'n'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, ":", table, NULL)) != -1;) {
        if (option == 'c')
            options->config = optarg;
        else if (option == 'o')
            options->out = optarg;
        else if (option == 'd')
            options->date = optarg;
        else if (option == 'n')
            options->dry_run = true;
        else if (option == 'j')
            options->json = true;
        else if (option == 'h') {
            fputs(usage, stdout);
            return 0;
        } else
            return cli_usage_option(usage, argv);
    }
    if (argc - optind != 1)
        return cli_usage(usage, "name one program");
    options->program = argv[optind];
    if (options->config == NULL || (options->out == NULL && !options->dry_run))
        return cli_usage(usage, options->config == NULL ? "--config is missing" : "--out is missing");
    return -1;
}

static enum cella_status date_of_text(const char *text, uint32_t *ret_date, struct cella_error *error) {
    char full[32];
    int64_t seconds = 0;
    (void)snprintf(full, sizeof full, "%sT00:00:00Z", text);
    if (strlen(text) != 10 || cella_calendar_parse(CELLA_BYTES(full, strlen(full)), &seconds) != CELLA_OK ||
        seconds < 0)
        return cella_fail(error, CELLA_ARGUMENT, "--date %s is no date like 2026-01-31, from 1970 on", text);
    return cella_sigstruct_date((uint64_t)seconds, ret_date);
}

/* https://reproducible-builds.org/specs/source-date-epoch/ */
static enum cella_status date_of_epoch(const char *text, uint32_t *ret_date, struct cella_error *error) {
    char *end = NULL;
    errno = 0;
    unsigned long long seconds = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
        cella_sigstruct_date(seconds, ret_date) != CELLA_OK)
        return cella_fail(error, CELLA_ARGUMENT, "SOURCE_DATE_EPOCH=%s is no time in seconds", text);
    return CELLA_OK;
}

static enum cella_status choose_date(const char *option, uint32_t *ret_date, struct cella_error *error) {
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    if (option != NULL)
        return date_of_text(option, ret_date, error);
    if (epoch != NULL && epoch[0] != '\0')
        return date_of_epoch(epoch, ret_date, error);
    *ret_date = CELLA_IMAGE_DEFAULT_DATE;
    return CELLA_OK;
}

static enum cella_status read_config(const char *path, struct cella_settings *ret_settings,
                                     struct cella_error *error) {
    uint8_t *text = NULL;
    size_t size = 0;
    enum cella_status status = cella_file_read(path, CELLA_CONF_SIZE_LIMIT, &text, &size, error);
    if (status == CELLA_OK)
        status = cella_conf_parse(path, CELLA_BYTES(text, size), ret_settings, error);
    free(text);
    return status;
}

static enum cella_status build(const struct options *options, uint8_t **ret_file, size_t *ret_size,
                               struct cella_error *error) {
    struct cella_settings settings = {0};
    uint8_t *elf = NULL;
    size_t elf_size = 0;
    uint32_t date = 0;
    enum cella_status status = choose_date(options->date, &date, error);
    if (status == CELLA_OK)
        status = read_config(options->config, &settings, error);
    if (status == CELLA_OK)
        status = cella_file_read(options->program, CELLA_ELF_SIZE_LIMIT, &elf, &elf_size, error);
    if (status == CELLA_OK) {
        status = cella_image_build(CELLA_BYTES(elf, elf_size), &settings, date, ret_file, ret_size, error);
        if (status != CELLA_OK)
            status = cella_fail_context(error, status, "%s", options->program);
    }
    free(elf);
    cella_settings_deinit(&settings);
    return status;
}

static int print(const struct options *options, struct cella_bytes file) {
    struct cella_image image;
    struct cella_error error = {0};
    enum cella_status status = cella_image_open(file, &image, &error);
    if (status != CELLA_OK)
        return cli_fail(status, &error, NULL);
    struct cli_hash_text hash = cli_hash_text(image.sigstruct.enclave_hash);
    if (!options->json) {
        printf("code hash %s\n", hash.text);
        return 0;
    }
    json_t *result = json_pack("{s:s, s:s, s:I, s:b}", "name", image.settings.name, "code_hash", hash.text,
                               "size", (json_int_t)file.size, "written", !options->dry_run);
    if (result == NULL)
        return cli_fail(CELLA_NO_MEMORY, NULL, NULL);
    json_dumpf(result, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(result);
    return 0;
}

int cli_image_build(int argc, char **argv) {
    struct options options = {0};
    int code = parse_options(argc, argv, &options);
    if (code >= 0)
        return code;
    struct cella_error error = {0};
    uint8_t *file = NULL;
    size_t size = 0;
    const struct cli_output_path out = {options.out, CLI_OUTPUT_IMAGE, {options.program, options.config}};
    enum cella_status status = cli_output_check(&out, &error);
    if (status == CELLA_OK)
        status = build(&options, &file, &size, &error);
    if (status == CELLA_OK && !options.dry_run)
        status = cella_file_write(options.out, CELLA_BYTES(file, size), CELLA_FILE_PUBLIC, &error);
    code = status == CELLA_OK ? print(&options, CELLA_BYTES(file, size)) : cli_fail(status, &error, NULL);
    free(file);
    return code;
}
