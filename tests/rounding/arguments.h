/* Random arguments, the same for the same seed: of every eight, one of any bits, one of any size,
   two next to where something turns, and four from a range. */

static uint64_t random_state;

static uint64_t random_bits(void) { /* splitmix64 */
    uint64_t z = random_state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static int random_below(int n) { return (int)((random_bits() >> 32) * (uint64_t)n >> 32); }

static double uniform(double low, double high) {
    return low + (high - low) * ((double)(random_bits() >> 11) * 0x1p-53);
}

static double any_bits(void) { return number_plain(random_bits()); }

static double any_size(void) { return ldexp(uniform(-1, 1), random_below(71) - 60); }

static double close_to(double x) { return x + x * ldexp(uniform(-1, 1), -random_below(54)); }

/* Where a function is neither constant nor its argument, and quick.h answers. */
static const double ranges[FUNCTIONS][2] = {
    [MG_EXP_OF] = {-700, 700},      [MG_EXPM1_OF] = {-40, 600}, [MG_LOG_OF] = {0, 10},
    [MG_LOG1P_OF] = {-0.99, 10},    [MG_SIN_OF] = {-100, 100},  [MG_COS_OF] = {-100, 100},
    [MG_ATAN_OF] = {-20, 20},       [MG_TANH_OF] = {-20, 20},   [MG_SIGMOID_OF] = {-600, 40},
    [MG_SOFTPLUS_OF] = {-200, 40},  [MG_ERF_OF] = {-6, 6},      [MG_POW_OF] = {0, 4},
    [CUBE_OF] = {-1000, 1000},      [INVERSE_SQUARE_OF] = {-1000, 1000},
};

/* Overflow, subnormal and vanishing results, ends of ranges, and where one formula follows another.
   Multiples of log 2 / 2, of pi / 4 and of 1/16 come on top. */
static const double turns[] = {
    745.1332191019412, 744.4400719213812, 709.782712893384, 708.3964185322641, 708, 700, 680, 600,
    200, 40, 36.7368005696771, 22, 20, 19.061547465398498, 6, 5.921587195794508, 4, 4.0 / 3, 1,
    0.99, 0.75, 0.7071067811865476, 0.41421356237309503, 0x1p-26, 0x1p-27, 0x1p-54, 0x1p-100,
    0x1p-300, 0x1p-1022, 0x1p-1074, 0x1p20, 0x1p60, 0x1p100, 0x1p300, 0, INFINITY,
};

static double turn(void) {
    switch (random_below(4)) {
        case 0: return (1 + random_below(2048)) * 0.34657359027997264;
        case 1: return (1 + random_below(2048)) * 0.7853981633974483;
        case 2: return (1 + random_below(96)) * 0.0625;
        default: return turns[random_below(sizeof turns / sizeof *turns)];
    }
}

static int is_from_range(uint64_t number) { return number % 8 >= 4; }

static void powers(uint64_t number, double *x, double *y) {
    static const double ends[] = {1024, -1022, -1074, -1075};
    switch (number % 8) {
        case 0: *x = any_bits(), *y = any_bits(); break;
        case 1: *x = fabs(any_size()), *y = uniform(-745.2, 709.8) / log(*x); break;
        case 2: *x = uniform(-4, 4), *y = 0.5 * (random_below(161) - 80); break;
        case 3: *x = fabs(any_size()), *y = close_to(ends[random_below(4)] / log2(*x)); break;
        default: *x = uniform(ranges[MG_POW_OF][0], ranges[MG_POW_OF][1]), *y = uniform(-20, 20);
    }
}

static void arguments(int f, uint64_t number, double *x, double *y) {
    *y = 0.0;
    if (f == MG_POW_OF) powers(number, x, y);
    else if (is_from_range(number)) *x = uniform(ranges[f][0], ranges[f][1]);
    else if (number % 8 == 0) *x = any_bits();
    else if (number % 8 == 1) *x = any_size();
    else *x = copysign(close_to(turn()), uniform(-1, 1));
}

/* A command line has a seed, how many arguments a function gets, and functions, or none for all. */

static int is_chosen(int f, int argc, char **argv) {
    for (int i = 3; i < argc; i++)
        if (!strcmp(argv[i], names[f])) return 1;
    return argc == 3;
}

static int has_unknown_name(int argc, char **argv) {
    for (int i = 3; i < argc; i++) {
        int f = 0;
        while (f < FUNCTIONS && strcmp(argv[i], names[f])) f++;
        if (f == FUNCTIONS) return printf("%s is none of the functions\n", argv[i]) > 0;
    }
    return 0;
}

static uint64_t start(int f, char **argv) {
    random_state = strtoull(argv[1], NULL, 10) ^ (uint64_t)f << 56;
    return strtoull(argv[2], NULL, 10);
}
