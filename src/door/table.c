/* What each side may send, by phase. */
#include "door/door.h"

struct row {
    uint16_t type;
    enum cella_door_side sender;
    unsigned phases;
};

static const struct row rows[] = {
#define CELLA_DOOR_ROW(name, number, row_sender, row_phases)                                                 \
    {.type = (number), .sender = (row_sender), .phases = (row_phases)},
#include "door/door.def"
#undef CELLA_DOOR_ROW
};

bool cella_door_allows(enum cella_door_side sender, uint16_t type, enum cella_door_phase phase) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].type == type)
            return rows[i].sender == sender && (rows[i].phases & (unsigned)phase) != 0;
    return false;
}
