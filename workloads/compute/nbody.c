/* nbody: sixteen bodies under gravity, 96 leapfrog steps, the class of floating
 * point simulations: scalar doubles, square roots and divisions. */
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"

#define NB_BODIES 16
#define NB_STEPS 96
/* In units where the sun's mass, the inner orbit's radius and G are 1: a year
 * of the inner planet is 2 pi. */
#define NB_DT 0.005

struct nb_body {
    double x[3], v[3], mass;
};

static struct nb_body nb_start[NB_BODIES], nb_now[NB_BODIES];

/* sqrt() would be a call of libm; the instruction rounds correctly. */
static inline double nb_sqrt(double x)
{
    double r;

    __asm__("sqrtsd %1, %0" : "=x"(r) : "x"(x));
    return r;
}

/* In [-1, 1). */
static double nb_random(uint64_t seed)
{
    return (double)(int64_t)(mix64(9, seed) >> 11) * 0x1p-52 - 1.0;
}

/* Changes the speeds by what all attract each other in a time dt. */
static void nb_kick(struct nb_body *b, double dt)
{
    for (unsigned i = 0; i < NB_BODIES; i++) {
        for (unsigned j = i + 1; j < NB_BODIES; j++) {
            double dx = b[j].x[0] - b[i].x[0];
            double dy = b[j].x[1] - b[i].x[1];
            double dz = b[j].x[2] - b[i].x[2];
            double d2 = dx * dx + dy * dy + dz * dz;
            double pull = dt / (d2 * nb_sqrt(d2));
            double to_i = b[j].mass * pull, to_j = b[i].mass * pull;

            b[i].v[0] += dx * to_i;
            b[i].v[1] += dy * to_i;
            b[i].v[2] += dz * to_i;
            b[j].v[0] -= dx * to_j;
            b[j].v[1] -= dy * to_j;
            b[j].v[2] -= dz * to_j;
        }
    }
}

static void nb_drift(struct nb_body *b, double dt)
{
    for (unsigned i = 0; i < NB_BODIES; i++)
        for (unsigned k = 0; k < 3; k++)
            b[i].x[k] += b[i].v[k] * dt;
}

/* Drift, kick, drift: of second order, and reversible in time. */
static void nb_advance(struct nb_body *b, unsigned steps, double dt)
{
    while (steps--) {
        nb_drift(b, dt / 2);
        nb_kick(b, dt);
        nb_drift(b, dt / 2);
    }
}

static double nb_energy(const struct nb_body *b)
{
    double sum = 0;

    for (unsigned i = 0; i < NB_BODIES; i++) {
        double v2 = 0;

        for (unsigned k = 0; k < 3; k++)
            v2 += b[i].v[k] * b[i].v[k];
        sum += b[i].mass * v2 / 2;
        for (unsigned j = i + 1; j < NB_BODIES; j++) {
            double d2 = 0;

            for (unsigned k = 0; k < 3; k++) {
                double d = b[i].x[k] - b[j].x[k];

                d2 += d * d;
            }
            sum -= b[i].mass * b[j].mass / nb_sqrt(d2);
        }
    }
    return sum;
}

/* A sun and planets on orbits nearly circular, each a quarter wider than the
 * one before, of up to a thousandth of the sun's mass. */
static const char *nbody_init(void)
{
    double momentum[3] = {0}, radius = 1;

    nb_start[0] = (struct nb_body){.mass = 1};
    for (unsigned i = 1; i < NB_BODIES; i++) {
        struct nb_body *b = &nb_start[i];
        double a = nb_random(3 * i), c, speed;

        /* A point of the circle by its half-angle tangent: no cosine. */
        c = 1 / (1 + a * a);
        b->x[0] = radius * (1 - a * a) * c;
        b->x[1] = radius * 2 * a * c;
        b->x[2] = radius * 0.05 * nb_random(3 * i + 1);
        speed = nb_sqrt(1 / radius);
        b->v[0] = -speed * 2 * a * c;
        b->v[1] = speed * (1 - a * a) * c;
        b->v[2] = 0;
        b->mass = 0.0005 * (1 + nb_random(3 * i + 2)) + 1e-6;
        for (unsigned k = 0; k < 3; k++)
            momentum[k] += b->mass * b->v[k];
        radius *= 1.25;
    }
    for (unsigned k = 0; k < 3; k++)
        nb_start[0].v[k] = -momentum[k];
    return NULL;
}

static void nb_restart(void)
{
    for (unsigned i = 0; i < NB_BODIES; i++)
        nb_now[i] = nb_start[i];
}

/* Every operation is the same piece of time: what it costs does not depend on
 * how the system evolves. */
static void nbody_kernel(uint64_t n)
{
    while (n--) {
        nb_restart();
        nb_advance(nb_now, NB_STEPS, NB_DT);
        __asm__ volatile("" ::: "memory");
    }
}

static uint64_t nbody_checksum(void)
{
    uint64_t sum = 0;

    nbody_kernel(1);
    for (unsigned i = 0; i < NB_BODIES; i++) {
        for (unsigned k = 0; k < 3; k++) {
            union {
                double d;
                uint64_t u;
            } x = {.d = nb_now[i].x[k]}, v = {.d = nb_now[i].v[k]};

            sum = mix64(mix64(sum, x.u), v.u);
        }
    }
    return sum;
}

static bool nb_near(double a, double b, double tolerance)
{
    return a - b < tolerance && b - a < tolerance;
}

/* Energy is kept, and time turned back leads to where it all began. */
static const char *nbody_verify(void)
{
    double before = nb_energy(nb_start);

    if (!nb_near(nb_energy(nb_now), before, -before * 1e-6))
        return "the energy drifts";
    nb_advance(nb_now, NB_STEPS, -NB_DT);
    for (unsigned i = 0; i < NB_BODIES; i++)
        for (unsigned k = 0; k < 3; k++)
            if (!nb_near(nb_now[i].x[k], nb_start[i].x[k], 1e-11) ||
                !nb_near(nb_now[i].v[k], nb_start[i].v[k], 1e-11))
                return "the way back leads elsewhere";
    return NULL;
}

DEFINE_BENCHMARK(nbody, "nbody", "compute", "96 steps of 16 bodies",
                 "Gravity in scalar doubles: square roots and divisions",
                 TM_BENCH_NATIVE, .init = nbody_init, .kernel = nbody_kernel,
                 .checksum = nbody_checksum, .verify = nbody_verify);
