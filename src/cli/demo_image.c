/* The demo's images: examples with the agreed keys, and the ones that a dishonest operator would like to run.
 * Must not: measure in another way than `cella image build` does. */
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "cli/demo.h"
#include "image/build.h"
#include "image/conf.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEMPLATE_LIMIT = 64 * 1024 };

struct demo_path demo_path(const struct demo *demo, const char *format, ...) {
    struct demo_path path;
    int size = snprintf(path.text, sizeof path.text, "%s/", demo->folder);
    va_list arguments;
    va_start(arguments, format);
    int rest = vsnprintf(path.text + size, sizeof path.text - (size_t)size, format, arguments);
    va_end(arguments);
    CELLA_ASSERT(rest >= 0 && (size_t)rest < sizeof path.text - (size_t)size);
    return path;
}

struct demo_path demo_file(const struct demo *demo, const char *example, const char *name) {
    struct demo_path path;
    int size = snprintf(path.text, sizeof path.text, "%s/%s/%s", demo->files, example, name);
    CELLA_ASSERT(size > 0 && (size_t)size < sizeof path.text);
    return path;
}

/* The value for a name between two @; NULL if there is none. */
static const char *value_of(const char *name, size_t size, const struct demo_recipe *recipe) {
    for (size_t i = 0; i < recipe->value_count; i++)
        if (size == strlen(recipe->values[i].name) && memcmp(name, recipe->values[i].name, size) == 0)
            return recipe->values[i].value;
    return NULL;
}

/* Replaces every @NAME@ that is known. */
static void fill(const char *template, const struct demo_recipe *recipe, FILE *out) {
    while (*template != '\0') {
        size_t plain = strcspn(template, "@");
        (void)fwrite(template, 1, plain, out); /* ferror() tells, at the end */
        template += plain;
        if (*template == '\0')
            return;
        size_t size = strcspn(template + 1, "@\n");
        const char *value = value_of(template + 1, size, recipe);
        if (value == NULL) {
            fputc(*template ++, out);
            continue;
        }
        fputs(value, out);
        template += size + 2;
    }
}

static enum cella_status read_settings(const struct demo *demo, const struct demo_recipe *recipe,
                                       struct cella_settings *ret_settings, struct cella_error *error) {
    struct demo_path path = demo_file(demo, recipe->example, "enclave.conf.in");
    char *text = NULL;
    size_t text_size = 0, size = 0;
    uint8_t *template = NULL;
    enum cella_status status = cella_file_read(path.text, TEMPLATE_LIMIT, &template, &size, error);
    if (status != CELLA_OK)
        return status;
    FILE *out = open_memstream(&text, &text_size);
    if (out != NULL) {
        fill((const char *)template, recipe, out);
        bool failed = ferror(out) != 0;
        if (fclose(out) != 0 || failed)
            text_size = 0;
    }
    if (text_size == 0)
        status = cella_fail(error, CELLA_NO_MEMORY, "no memory for the settings");
    else
        status = cella_conf_parse("enclave.conf", CELLA_BYTES(text, text_size), ret_settings, error);
    free(text);
    free(template);
    return status;
}

/* Signs the image file in memory anew. */
static enum cella_status sign(uint8_t *file, size_t size, const struct cella_rsa *signer,
                              const uint8_t *code_hash, struct cella_error *error) {
    struct cella_image image;
    enum cella_status status = cella_image_open(CELLA_BYTES(file, size), &image, error);
    if (status != CELLA_OK)
        return status;
    struct cella_sigstruct sigstruct = image.sigstruct;
    memcpy(sigstruct.enclave_hash, code_hash, sizeof sigstruct.enclave_hash);
    status = cella_sigstruct_sign(&sigstruct, signer, error);
    return status == CELLA_OK ? cella_image_set_sigstruct(file, size, &sigstruct, error) : status;
}

static enum cella_status measure(const uint8_t *file, size_t size, uint8_t ret_code_hash[32],
                                 struct cella_error *error) {
    struct cella_image image;
    enum cella_status status = cella_image_open(CELLA_BYTES(file, size), &image, error);
    if (status == CELLA_OK)
        cella_image_measure(&image, ret_code_hash);
    return status;
}

enum cella_status demo_image_make(const struct demo *demo, const struct demo_recipe *recipe, const char *path,
                                  uint8_t ret_code_hash[32], struct cella_error *error) {
    struct cella_settings settings = {0};
    char name[64];
    uint8_t *elf = NULL, *file = NULL;
    size_t elf_size = 0, size = 0;
    snprintf(name, sizeof name, "%s.elf", recipe->example);
    struct demo_path program = demo_file(demo, recipe->example, name);
    enum cella_status status = read_settings(demo, recipe, &settings, error);
    if (status == CELLA_OK)
        status = cella_file_read(program.text, CELLA_ELF_SIZE_LIMIT, &elf, &elf_size, error);
    if (status == CELLA_OK)
        status = cella_image_build(CELLA_BYTES(elf, elf_size), &settings, CELLA_IMAGE_DEFAULT_DATE, &file,
                                   &size, error);
    if (status == CELLA_OK)
        status = measure(file, size, ret_code_hash, error);
    if (status == CELLA_OK)
        status = sign(file, size, recipe->signer, ret_code_hash, error);
    if (status == CELLA_OK)
        status = cella_file_write(path, CELLA_BYTES(file, size), CELLA_FILE_PUBLIC, error);
    free(file);
    free(elf);
    cella_settings_deinit(&settings);
    return status;
}

enum cella_status demo_survey_make(const struct demo *demo, char keys[DEMO_PARTY_COUNT][DEMO_KEY_TEXT],
                                   const struct cella_rsa *signer, const char *path,
                                   uint8_t ret_code_hash[32], struct cella_error *error) {
    static const char *const names[2 * DEMO_PARTY_COUNT] = {"PARTY_1_NAME", "PARTY_1_KEY",  "PARTY_2_NAME",
                                                            "PARTY_2_KEY",  "PARTY_3_NAME", "PARTY_3_KEY",
                                                            "PARTY_4_NAME", "PARTY_4_KEY"};
    struct demo_value values[1 + 2 * DEMO_PARTY_COUNT] = {{"SURVEY_ID", DEMO_SURVEY}};
    for (size_t i = 0; i < DEMO_PARTY_COUNT; i++) {
        values[1 + 2 * i] = (struct demo_value){names[2 * i], demo_party_names[i]};
        values[2 + 2 * i] = (struct demo_value){names[2 * i + 1], keys[i]};
    }
    const struct demo_recipe recipe = {.example = DEMO_ENCLAVE,
                                       .values = values,
                                       .value_count = sizeof values / sizeof values[0],
                                       .signer = signer};
    return demo_image_make(demo, &recipe, path, ret_code_hash, error);
}

/* Finds the survey's rules (three times ten) in the program and sets them to nothing, so that the smallest
 * group would be published. */
static enum cella_status change_rules(uint8_t *file, size_t size, struct cella_error *error) {
    static const uint8_t rules[12] = {10, 0, 0, 0, 10, 0, 0, 0, 10, 0, 0, 0};
    struct cella_image image;
    enum cella_status status = cella_image_open(CELLA_BYTES(file, size), &image, error);
    if (status != CELLA_OK)
        return status;
    uint8_t *at = memmem(file + image.elf_file_offset, image.elf_bytes.size, rules, sizeof rules);
    if (at == NULL)
        return cella_fail(error, CELLA_INTERNAL, "the program does not contain the survey's rules");
    memset(at, 0, sizeof rules);
    return CELLA_OK;
}

enum cella_status demo_image_tamper(const char *from, const struct cella_rsa *signer, const char *to,
                                    struct cella_error *error) {
    uint8_t *file = NULL, code_hash[32];
    size_t size = 0;
    enum cella_status status = cella_file_read(from, CELLA_IMAGE_SIZE_LIMIT, &file, &size, error);
    if (status == CELLA_OK)
        status = change_rules(file, size, error);
    if (status == CELLA_OK && signer != NULL)
        status = measure(file, size, code_hash, error);
    if (status == CELLA_OK && signer != NULL)
        status = sign(file, size, signer, code_hash, error);
    if (status == CELLA_OK)
        status = cella_file_write(to, CELLA_BYTES(file, size), CELLA_FILE_PUBLIC, error);
    free(file);
    return status;
}

void demo_constraint(const uint8_t code_hash[32], char *out, size_t capacity) {
    char digits[65];
    cella_hex_encode(code_hash, 32, digits);
    int size = snprintf(out, capacity, "C:%s SEC:INSECURE", digits);
    CELLA_ASSERT(size > 0 && (size_t)size < capacity);
}
