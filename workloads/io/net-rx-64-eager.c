/* net-rx-64-eager: 64-byte frames in, nothing suppressed. */
#include "../../guest/lib/bench.h"
#include "net_kernels.h"
#include "netload.h"

const uint32_t net_frame_len = 64;

DEFINE_BENCHMARK(net_rx_64_eager, "net-rx-64-eager", "io", "packet in",
                 "64-byte packets in, a notification and an interrupt for each",
                 0, .refuse = netload_refuse, .init = netload_eager,
                 .kernel = net_rx_kernel, .control = net_rx_control,
                 .checksum = net_rx_checksum, .verify = netload_verify);
