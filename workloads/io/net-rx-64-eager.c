/* net-rx-64-eager: 64-byte frames in, nothing suppressed. */
#include "../../guest/lib/bench.h"
#include "netload.h"

#define LEN 64

static void rx_64_eager_kernel(uint64_t n)
{
    netload_in(n, LEN);
}

/* The request that begins a batch. */
static void rx_64_eager_control(uint64_t n)
{
    (void)n;
    netload_in(0, LEN);
}

static uint64_t rx_64_eager_checksum(void)
{
    return netload_in_checksum(LEN);
}

DEFINE_BENCHMARK(net_rx_64_eager, "net-rx-64-eager", "io", "packet in",
                 "64-byte packets in, a notification and an interrupt for each",
                 0, .refuse = netload_refuse, .init = netload_eager,
                 .kernel = rx_64_eager_kernel, .control = rx_64_eager_control,
                 .checksum = rx_64_eager_checksum, .verify = netload_verify);
