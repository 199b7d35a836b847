/* net-rr-1500: a 1500-byte frame goes to the peer and comes back. */
#include "../../guest/lib/bench.h"
#include "netload.h"

#define LEN 1500

static void rr_1500_kernel(uint64_t n)
{
    netload_echo(n, LEN);
}

static uint64_t rr_1500_checksum(void)
{
    return netload_echo_checksum(LEN);
}

DEFINE_BENCHMARK(
    net_rr_1500, "net-rr-1500", "io", "round trip",
    "1500-byte request and response through virtio-net, one at a time", 0,
    .refuse = netload_refuse, .init = netload_eager, .kernel = rr_1500_kernel,
    .checksum = rr_1500_checksum, .verify = netload_verify);
