/* cella image show: identity, settings and layout of an image, after measuring it and verifying its
 * signature.
 */
#include "base/error.h"
#include "cli/cli.h"
#include "cli/verb_image.h"
#include "state/genesis.h"
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: cella image show IMAGE [--json]\n"
    "\n"
    "Measures an image, verifies its signature and prints its identity, its settings and its\n"
    "layout. Weak choices are named.\n"
    "\n"
    "  --json    print it as JSON\n";

static void print_vault(const struct cella_settings *settings) {
    if (settings->vault_kind == CELLA_VAULT_NONE) {
        printf("vault             none: what it knows ends with the instance\n");
        return;
    }
    printf("vault             a vault bound to one machine, keys of %s, ",
           settings->key_policy == CELLA_VAULT_KEYS_IMAGE ? "this image alone" : "its signer and product");
    if (settings->owner_count == 0)
        printf("never restored: it has no owners\n");
    else
        printf("restored by %" PRIu32 " of %zu owners\n", settings->owner_threshold, settings->owner_count);
}

static void print_identity(const struct cella_image *image) {
    const char *weak[CLI_WEAK_LIMIT];
    size_t weak_count = cli_image_weak(image, weak);
    printf("name              %s\n", image->settings.name);
    printf("code hash         %s\n", cli_hash_text(image->sigstruct.enclave_hash).text);
    printf("code signer       %s\n", cli_signer_text(&image->sigstruct).text);
    printf("product id        %u\n", image->sigstruct.isv_prod_id);
    printf("security version  %u\n", image->sigstruct.isv_svn);
    printf("debug             %s\n", image->settings.debug ? "true" : "false");
    print_vault(&image->settings);
    printf("date              %08" PRIx32 "\n", image->sigstruct.date);
    for (size_t i = 0; i < weak_count; i++)
        printf("weak              %s\n", weak[i]);
}

static void print_settings(const struct cella_settings *settings) {
    printf("settings\n");
    for (size_t i = 0; i < CELLA_SETTINGS_RULES_COUNT; i++) {
        const struct cella_settings_rule *rule = &cella_settings_rules[i];
        uint64_t number = cella_settings_number(settings, rule);
        if (rule->words != NULL)
            printf("  %-21s %s\n", rule->key, rule->words[number - rule->least]);
        else
            printf("  %-21s %" PRIu64 "\n", rule->key, number);
    }
    for (size_t i = 0; i < settings->owner_count; i++)
        printf("  %-21s %s\n", "owner", cli_hash_text(settings->owners[i]).text);
    for (size_t i = 0; i < settings->application_count; i++)
        printf("  application.%s = %s\n", settings->application[i].key, settings->application[i].value);
}

static void print_layout(const struct cella_image *image) {
    printf("program\n");
    printf("  entry             0x%" PRIx64 "\n", image->entry);
    for (size_t i = 0; i < image->elf.segment_count; i++) {
        const struct cella_elf_segment *segment = &image->elf.segments[i];
        printf("  segment           %s 0x%08" PRIx64 " %" PRIu64 " bytes\n",
               cli_permissions_text(segment->permissions).text, segment->offset, segment->memory_size);
    }
    printf("layout\n");
    printf("  size              0x%" PRIx64 "\n", image->layout.size);
    printf("  settings          0x%08" PRIx64 "\n", image->layout.settings_offset);
    printf("  heap              0x%08" PRIx64 "\n", image->layout.heap_offset);
    printf("  threads           0x%08" PRIx64 "\n", image->layout.threads_offset);
}

static json_t *json_settings(const struct cella_settings *settings) {
    json_t *result = json_object();
    json_t *application = json_object();
    json_t *owners = json_array();
    for (size_t i = 0; i < CELLA_SETTINGS_RULES_COUNT; i++) {
        const struct cella_settings_rule *rule = &cella_settings_rules[i];
        uint64_t number = cella_settings_number(settings, rule);
        json_t *value = rule->is_boolean      ? json_boolean(number != 0)
                        : rule->words != NULL ? json_string(rule->words[number - rule->least])
                                              : json_integer((json_int_t)number);
        json_object_set_new(result, rule->key, value);
    }
    for (size_t i = 0; i < settings->owner_count; i++)
        json_array_append_new(owners, json_string(cli_hash_text(settings->owners[i]).text));
    json_object_set_new(result, "owners", owners);
    for (size_t i = 0; i < settings->application_count; i++) {
        /* A value need not be UTF-8; JSON must be. */
        const char *value = settings->application[i].value;
        json_t *text = json_string(value);
        json_object_set_new(application, settings->application[i].key, text != NULL ? text : json_null());
    }
    json_object_set_new(result, "application", application);
    return result;
}

static json_t *json_program(const struct cella_image *image) {
    json_t *segments = json_array();
    for (size_t i = 0; i < image->elf.segment_count; i++) {
        const struct cella_elf_segment *segment = &image->elf.segments[i];
        json_array_append_new(
            segments, json_pack("{s:I, s:I, s:I, s:s}", "offset", (json_int_t)segment->offset, "memory_size",
                                (json_int_t)segment->memory_size, "file_size", (json_int_t)segment->file_size,
                                "permissions", cli_permissions_text(segment->permissions).text));
    }
    return json_pack("{s:I, s:I, s:o}", "size", (json_int_t)image->elf.file.size, "entry",
                     (json_int_t)image->entry, "segments", segments);
}

static json_t *json_layout(const struct cella_layout *layout) {
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "size", (json_int_t)layout->size, "settings_offset",
                     (json_int_t)layout->settings_offset, "heap_offset", (json_int_t)layout->heap_offset,
                     "threads_offset", (json_int_t)layout->threads_offset, "thread_size",
                     (json_int_t)layout->thread_size);
}

static int print_json(const struct cella_image *image) {
    const char *names[CLI_WEAK_LIMIT];
    size_t weak_count = cli_image_weak(image, names);
    char date[16];
    (void)snprintf(date, sizeof date, "%08" PRIx32, image->sigstruct.date);
    json_t *weak = json_array();
    for (size_t i = 0; i < weak_count; i++)
        json_array_append_new(weak, json_string(names[i]));
    json_t *signer =
        image->sigstruct.is_signed ? json_string(cli_signer_text(&image->sigstruct).text) : json_null();
    json_t *result = json_pack(
        "{s:s, s:s, s:o, s:b, s:i, s:i, s:b, s:s, s:o, s:o, s:o, s:o}", "name", image->settings.name,
        "code_hash", cli_hash_text(image->sigstruct.enclave_hash).text, "code_signer", signer, "signed",
        image->sigstruct.is_signed, "product_id", image->sigstruct.isv_prod_id, "security_version",
        image->sigstruct.isv_svn, "debug", image->settings.debug, "date", date, "weak", weak, "settings",
        json_settings(&image->settings), "program", json_program(image), "layout",
        json_layout(&image->layout));
    if (result == NULL)
        return cli_fail(CELLA_NO_MEMORY, NULL, NULL);
    json_dumpf(result, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(result);
    return 0;
}

int cli_image_show(int argc, char **argv) {
    static const struct option table[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    bool json = false;
    for (int option; (option = getopt_long(argc, argv, ":", table, NULL)) != -1;) {
        if (option == 'h') {
            fputs(usage, stdout);
            return 0;
        }
        if (option != 'j')
            return cli_usage_option(usage, argv);
        json = true;
    }
    if (argc - optind != 1)
        return cli_usage(usage, "name one image");
    struct cella_error error = {0};
    struct cli_image loaded = {0};
    enum cella_status status = cli_image_load(argv[optind], &loaded, &error);
    if (status == CELLA_OK) {
        status = cella_image_verify(&loaded.image, &error);
        if (status != CELLA_OK)
            status = cella_fail_context(&error, status, "%s", argv[optind]);
    }
    /* An image between build and sign has an identity to show too. */
    if (status == CELLA_IMAGE_UNSIGNED) {
        cli_say("the image is not signed");
        status = CELLA_OK;
    }
    int code = 0;
    if (status != CELLA_OK)
        code = cli_fail(status, &error, NULL);
    else if (json)
        code = print_json(&loaded.image);
    else {
        print_identity(&loaded.image);
        print_settings(&loaded.image.settings);
        print_layout(&loaded.image);
    }
    cli_image_unload(&loaded);
    return code;
}
