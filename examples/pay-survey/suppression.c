/* Complementary suppression by the method of hypercubes.
 *
 * Take a hidden group, a set of its dimensions and one other class in each: the corners of a cube. Moving
 * one person out of each even corner and one into each odd corner changes no group outside the corners and
 * what lies inside them, since along every dimension of the cube the changes cancel. So when all corners are
 * hidden, nothing published can tell the tables apart, and the group's count is open over as many values as
 * people can be moved. This is asked of each party's own table, which is what the other three know about it.
 *
 * Must not: depend on anything but counts. */
#include "suppression.h"

const struct survey_rules survey_rules = {.group_minimum = 10, .party_minimum = 10, .protection = 10};

enum { CHOICES = 1 << SURVEY_DIMENSION_COUNT };

/* Corner k replaces the coordinates in `dimensions & k` of a group by those of `far`. */
struct cube {
    struct survey_group near, far;
    unsigned dimensions;
};

struct task {
    const struct survey_counts *counts;
    const struct survey_rules *rules;
    bool *hidden;
};

static unsigned fixed_dimensions(struct survey_group group) {
    unsigned fixed = 0;
    for (size_t i = 0; i < SURVEY_DIMENSION_COUNT; i++)
        if (!survey_group_takes_all(group, i))
            fixed |= 1u << i;
    return fixed;
}

static bool inside(struct survey_group inner, struct survey_group outer) {
    for (size_t i = 0; i < SURVEY_DIMENSION_COUNT; i++)
        if (inner.at[i] != outer.at[i] && !survey_group_takes_all(outer, i))
            return false;
    return true;
}

static void hide(const struct task *task, struct survey_group group) {
    for (size_t i = 0; i < SURVEY_GROUP_COUNT; i++)
        if (inside(survey_group_at(i), group))
            task->hidden[i] = true;
}

static struct survey_group corner_of(struct survey_group group, const struct cube *cube, unsigned corner) {
    for (size_t i = 0; i < SURVEY_DIMENSION_COUNT; i++)
        if ((corner >> i & 1) != 0)
            group.at[i] = cube->far.at[i];
    return group;
}

/* The corner as a group: "all" in the dimensions that the cube does not have. */
static struct survey_group corner_group(const struct cube *cube, unsigned corner) {
    struct survey_group group = corner_of(cube->near, cube, corner);
    for (size_t i = 0; i < SURVEY_DIMENSION_COUNT; i++)
        if ((cube->dimensions >> i & 1) == 0)
            group.at[i] = survey_dimension_size(i);
    return group;
}

static bool is_corner(const struct cube *cube, unsigned corner) {
    return (corner & ~cube->dimensions) == 0;
}

static bool is_odd(unsigned corner) {
    return (__builtin_popcount(corner) & 1) != 0;
}

/* How many values of this party's count in `cube->near` the cube leaves open, less one: the moves of each
 * finest group inside it are independent of each other. */
static uint64_t open_values(const struct task *task, size_t party, const struct cube *cube) {
    const uint32_t *people = task->counts->people[party];
    uint64_t open = 0;
    for (size_t i = 0; i < SURVEY_GROUP_COUNT; i++) {
        struct survey_group finest = survey_group_at(i);
        if (fixed_dimensions(finest) != CHOICES - 1 || !inside(finest, cube->near))
            continue;
        uint32_t least[2] = {UINT32_MAX, UINT32_MAX};
        for (unsigned corner = 0; corner < CHOICES; corner++) {
            if (!is_corner(cube, corner))
                continue;
            uint32_t here = people[survey_group_index(corner_of(finest, cube, corner))];
            uint32_t *slot = &least[is_odd(corner)];
            *slot = here < *slot ? here : *slot;
        }
        open += (uint64_t)least[0] + least[1];
    }
    return open;
}

static bool wide_enough(const struct task *task, const struct cube *cube) {
    for (size_t party = 0; party < SURVEY_PARTY_COUNT; party++)
        if (open_values(task, party, cube) < task->rules->protection)
            return false;
    return true;
}

/* What it takes to hide all corners: groups newly hidden, then people in them. */
struct cost {
    size_t groups;
    uint64_t people;
};

static bool cheaper(struct cost left, struct cost right) {
    return left.groups < right.groups || (left.groups == right.groups && left.people < right.people);
}

static bool in_corners(const struct cube *cube, struct survey_group group) {
    for (unsigned corner = 0; corner < CHOICES; corner++)
        if (is_corner(cube, corner) && inside(group, corner_group(cube, corner)))
            return true;
    return false;
}

static struct cost cost_of(const struct task *task, const struct cube *cube) {
    struct cost cost = {.groups = 0};
    for (size_t i = 0; i < SURVEY_GROUP_COUNT; i++) {
        if (task->hidden[i] || !in_corners(cube, survey_group_at(i)))
            continue;
        cost.groups++;
        cost.people += survey_people(task->counts, i);
    }
    return cost;
}

/* Steps through the far corners that differ from `near` in every dimension of the cube, and in those only.
 * Start with `far` = `near`; false when there is none left. */
static bool next_far(struct cube *cube) {
    for (;;) {
        size_t i = 0;
        for (; i < SURVEY_DIMENSION_COUNT; i++) {
            if ((cube->dimensions >> i & 1) == 0)
                continue;
            cube->far.at[i] = (uint8_t)((cube->far.at[i] + 1) % survey_dimension_size(i));
            if (cube->far.at[i] != cube->near.at[i])
                break;
        }
        if (i == SURVEY_DIMENSION_COUNT)
            return false;
        bool differs = true;
        for (size_t k = 0; k < SURVEY_DIMENSION_COUNT; k++)
            if ((cube->dimensions >> k & 1) != 0 && cube->far.at[k] == cube->near.at[k])
                differs = false;
        if (differs)
            return true;
    }
}

/* The cheapest cube that keeps the group open; cost 0 groups: it is open already. False if there is none. */
static bool best_cube(const struct task *task, struct survey_group group, struct cube *ret_cube,
                      struct cost *ret_cost) {
    unsigned fixed = fixed_dimensions(group);
    struct cost best = {.groups = SIZE_MAX};
    for (unsigned dimensions = 1; dimensions < CHOICES; dimensions++) {
        if ((dimensions & ~fixed) != 0)
            continue;
        struct cube cube = {.near = group, .far = group, .dimensions = dimensions};
        while (next_far(&cube)) {
            struct cost cost = cost_of(task, &cube);
            if (!cheaper(cost, best) || !wide_enough(task, &cube))
                continue;
            best = cost;
            *ret_cube = cube;
        }
    }
    *ret_cost = best;
    return best.groups != SIZE_MAX;
}

static void hide_corners(const struct task *task, const struct cube *cube) {
    for (unsigned corner = 0; corner < CHOICES; corner++)
        if (is_corner(cube, corner))
            hide(task, corner_group(cube, corner));
}

/* Hides every group that fixes `least` dimensions or more. */
static void hide_detail(const struct task *task, int least) {
    for (size_t i = 0; i < SURVEY_GROUP_COUNT; i++)
        if (__builtin_popcount(fixed_dimensions(survey_group_at(i))) >= least)
            task->hidden[i] = true;
}

static void hide_small(const struct task *task) {
    for (size_t i = 0; i < SURVEY_GROUP_COUNT; i++) {
        bool small = survey_people(task->counts, i) < task->rules->group_minimum;
        for (size_t party = 0; party < SURVEY_PARTY_COUNT; party++)
            small = small || task->counts->people[party][i] < task->rules->party_minimum;
        if (small)
            hide(task, survey_group_at(i));
    }
}

/* One pass over the hidden groups: hides what each still needs. False if some group cannot be kept open. */
static bool complete(const struct task *task, bool *ret_changed) {
    *ret_changed = false;
    for (size_t i = 0; i < SURVEY_GROUP_COUNT; i++) {
        struct cube cube;
        struct cost cost;
        if (!task->hidden[i])
            continue;
        if (!best_cube(task, survey_group_at(i), &cube, &cost))
            return false;
        if (cost.groups > 0) {
            hide_corners(task, &cube);
            *ret_changed = true;
        }
    }
    return true;
}

void survey_suppress(const struct survey_counts *counts, const struct survey_rules *rules,
                     bool ret_hidden[SURVEY_GROUP_COUNT]) {
    struct task task = {.counts = counts, .rules = rules, .hidden = ret_hidden};
    for (size_t i = 0; i < SURVEY_GROUP_COUNT; i++)
        ret_hidden[i] = false;
    hide_small(&task);
    /* Where no cube is wide enough, a whole level of detail goes. With everybody as the only group left, a
     * count may be anything up to the party's number of people, or that group is hidden as well. */
    for (int detail = SURVEY_DIMENSION_COUNT; detail > 0;) {
        bool changed;
        if (!complete(&task, &changed))
            hide_detail(&task, detail--);
        else if (!changed)
            return;
    }
    for (size_t party = 0; party < SURVEY_PARTY_COUNT; party++)
        if (counts->people[party][SURVEY_GROUP_COUNT - 1] < rules->protection)
            ret_hidden[SURVEY_GROUP_COUNT - 1] = true;
}
