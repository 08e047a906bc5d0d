/* AES-128-CMAC: the examples of RFC 4493. */
#include "support/test.h"
#include "crypto/cmac.h"

static const char key_text[] = "2b7e1516 28aed2a6 abf71588 09cf4f3c";
static const char message_text[] = "6bc1bee2 2e409f96 e93d7e11 7393172a ae2d8a57 1e03ac9c 9eb76fac 45af8e51"
                                   "30c81c46 a35ce411 e5fbc119 1a0a52ef f69f2445 df4f9b17 ad2b417b e66c3710";

static void codes_are_those_of_the_rfc(void **state) {
    static const struct {
        size_t size;
        const char *code;
    } examples[] = {{0, "bb1d6929 e9593728 7fa37d12 9b756746"},
                    {16, "070a16b4 6b4d4144 f79bdd9d d04a287c"},
                    {40, "dfa66747 de9ae630 30ca3261 1497c827"},
                    {64, "51f0bebf 7e3b9d92 fc497417 79363cfe"}};
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        uint8_t code[CELLA_CMAC_SIZE];
        cella_cmac(test_hex(key_text).data, CELLA_BYTES(test_hex(message_text).data, examples[i].size), code);
        assert_bytes(CELLA_BYTES(code, sizeof code), test_hex(examples[i].code));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(codes_are_those_of_the_rfc)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
