/* COM1, polled output: usable from the first instruction on. */
#include "kernel.h"

#define UART_DATA 0
#define UART_IER 1
#define UART_FCR 2
#define UART_IIR 2
#define UART_LCR 3
#define UART_MCR 4
#define UART_LSR 5
#define LCR_8N1 0x03
#define LCR_DLAB 0x80
#define FCR_ENABLE_CLEAR 0x07
#define IIR_FIFO 0xc0
#define LSR_THRE 0x20
#define FIFO_DEPTH 16

static bool ready;
static unsigned depth; /* bytes the transmitter takes when THRE is set */

static void uart_out(unsigned reg, uint8_t v)
{
    outb((uint16_t)(TM_COM1_PORT + reg), v);
}

static uint8_t uart_in(unsigned reg)
{
    return inb((uint16_t)(TM_COM1_PORT + reg));
}

static void uart_init(void)
{
    uart_out(UART_IER, 0);
    uart_out(UART_LCR, LCR_DLAB | LCR_8N1);
    uart_out(UART_DATA, 1); /* 115200 baud */
    uart_out(UART_IER, 0);
    uart_out(UART_LCR, LCR_8N1);
    uart_out(UART_FCR, FCR_ENABLE_CLEAR);
    uart_out(UART_MCR, 3); /* DTR, RTS */
    depth = (uart_in(UART_IIR) & IIR_FIFO) == IIR_FIFO ? FIFO_DEPTH : 1;
    ready = true;
}

void serial_write(const char *text, size_t n)
{
    if (!ready)
        uart_init();
    while (n) {
        while (!(uart_in(UART_LSR) & LSR_THRE))
            cpu_pause();
        for (unsigned i = 0; i < depth && n; i++, n--)
            uart_out(UART_DATA, (uint8_t)*text++);
    }
}

void serial_line(const char *format, ...)
{
    char text[320];
    va_list ap;
    size_t n;

    va_start(ap, format);
    n = (size_t)fmt_vsnprintf(text, sizeof(text) - 1, format, ap);
    va_end(ap);
    if (n > sizeof(text) - 2)
        n = sizeof(text) - 2;
    text[n++] = '\n';
    serial_write(text, n);
}

/* For measure.c; see bench.h. */
void report_line(const char *text)
{
    serial_write(text, strlen(text));
    serial_write("\n", 1);
}

void doorbell(uint32_t value)
{
    outl(TM_PORT_DOORBELL, value);
}
