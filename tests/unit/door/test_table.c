/* The table of what may cross the door. */
#include "door/door.h"
#include "support/test.h"

static void the_host_may_start_only_while_starting(void **state) {
    assert_true(cella_door_allows(CELLA_SIDE_HOST, CELLA_FRAME_START, CELLA_PHASE_STARTING));
    assert_false(cella_door_allows(CELLA_SIDE_HOST, CELLA_FRAME_START, CELLA_PHASE_SERVING));
    assert_false(cella_door_allows(CELLA_SIDE_HOST, CELLA_FRAME_MAIL, CELLA_PHASE_STARTING));
    assert_true(cella_door_allows(CELLA_SIDE_HOST, CELLA_FRAME_MAIL, CELLA_PHASE_SERVING));
    assert_false(cella_door_allows(CELLA_SIDE_HOST, CELLA_FRAME_MAIL, CELLA_PHASE_CLOSING));
}

static void a_side_cannot_send_what_belongs_to_another(void **state) {
    for (unsigned type = 0; type <= UINT16_MAX; type++) {
        unsigned senders = 0;
        for (int side = CELLA_SIDE_HOST; side <= CELLA_SIDE_ENCLAVE; side++) {
            bool allowed = false;
            for (unsigned phase = 1; phase <= 4; phase *= 2)
                allowed = allowed || cella_door_allows((enum cella_door_side)side, (uint16_t)type,
                                                       (enum cella_door_phase)phase);
            senders += allowed;
        }
        assert_true(senders <= 1);
    }
}

static void unknown_types_are_never_allowed(void **state) {
    static const uint16_t unknown[] = {0, 7, 31, 36, 63, 79, 255, 256, UINT16_MAX};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        for (unsigned phase = 1; phase <= 4; phase *= 2)
            for (int side = CELLA_SIDE_HOST; side <= CELLA_SIDE_ENCLAVE; side++)
                assert_false(
                    cella_door_allows((enum cella_door_side)side, unknown[i], (enum cella_door_phase)phase));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_host_may_start_only_while_starting),
        cmocka_unit_test(a_side_cannot_send_what_belongs_to_another),
        cmocka_unit_test(unknown_types_are_never_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
