/* The head of the report's page: what was run, and on which host. */
#include "report_html.h"
#include "table.h"
#include "util.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void html_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

void html_tagged(FILE *out, const char *open, const char *text,
                 const char *close)
{
    fputs(open, out);
    html_text(out, text);
    fputs(close, out);
}

static void fact(FILE *out, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void fact(FILE *out, const char *name, const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    if (!text)
        return;
    html_tagged(out, "<dt>", name, "</dt>");
    html_tagged(out, "<dd>", text, "</dd>\n");
    free(text);
}

static void text_fact(FILE *out, const char *name, const json_t *object,
                      const char *member)
{
    const char *text = result_text(object, member);

    if (text)
        fact(out, name, "%s", text);
}

/* The label says module, paging and what runs ring 0; the ratio is the
 * evidence. */
static void kvm_fact(FILE *out, const json_t *kvm)
{
    const char *label = result_text(kvm, RF_LABEL);
    const char *reason = result_text(kvm, RF_REASON);
    double ratio;

    if (!json_is_true(json_object_get(kvm, RF_AVAILABLE)))
        fact(out, "KVM", "not available%s%s", reason ? ": " : "",
             reason ? reason : "");
    else if (!result_real(kvm, RF_RING0_RATIO, &ratio))
        fact(out, "KVM", "%s", label ? label : "of unknown kind");
    else
        fact(out, "KVM", "%s; a ring-0 loop takes %.*f times the ring-3 loop",
             label ? label : "of unknown kind", ratio < 10 ? 1 : 0, ratio);
}

/* Whether the page is written beside the file, so that a link works. */
static bool beside(const char *path, const char *dir)
{
    const char *slash = strrchr(path, '/');
    char *own =
        slash ? xformat("%.*s", (int)(slash - path), path) : xstrdup(".");
    char *a = realpath(own, NULL), *b = realpath(dir, NULL);
    bool same = a && b && !strcmp(a, b);

    free(own);
    free(a);
    free(b);
    return same;
}

void html_host(FILE *out, const struct report_file *file, const char *dir)
{
    json_t *host = json_object_get(file->json, RF_HOST);
    json_t *config = json_object_get(file->json, RF_CONFIG);
    json_t *tool = json_object_get(file->json, RF_TOOL);
    json_t *pmu = json_object_get(host, RF_PMU), *value;
    const char *name = result_text(tool, RF_NAME), *key;
    const char *version = result_text(tool, RF_VERSION);
    double number;

    fputs("<dl class=\"inline\">\n<dt>Results</dt><dd>", out);
    if (beside(file->path, dir)) {
        html_tagged(out, "<a href=\"", file->name, "\">");
        html_tagged(out, "", file->name, "</a></dd>\n");
    } else {
        html_tagged(out, "", file->name, "</dd>\n");
    }
    fact(out, "Tool", "%s %s", name ? name : "unknown", version ? version : "");
    text_fact(out, "Command", config, RF_COMMAND);
    text_fact(out, "CPU", json_object_get(host, RF_CPU), RF_MODEL);
    if (result_real(host, RF_CORES, &number))
        fact(out, "Cores", "%.0f", number);
    if (result_real(host, RF_MEMORY_MIB, &number))
        fact(out, "Memory", "%.0f MiB", number);
    if (result_real(host, RF_TSC_KHZ, &number))
        fact(out, "TSC", "%.3f MHz", number / 1000);
    text_fact(out, "Kernel", host, RF_KERNEL);
    text_fact(out, "Hypervisor", host, RF_HYPERVISOR);
    text_fact(out, "Governor", host, RF_GOVERNOR);
    kvm_fact(out, json_object_get(host, RF_KVM));
    if (json_is_true(json_object_get(pmu, RF_AVAILABLE)))
        fact(out, "PMU", "available");
    else
        fact(out, "PMU", "not available%s%s",
             result_text(pmu, RF_REASON) ? ": " : "",
             result_text(pmu, RF_REASON) ? result_text(pmu, RF_REASON) : "");
    if (result_real(config, RF_SAMPLES, &number))
        fact(out, "Samples", "%.0f", number);
    if (json_is_true(json_object_get(config, RF_INTERRUPTED)))
        fact(out, "Interrupted", "the run was stopped before its last row");
    fputs("</dl>\n", out);
    value = json_object_get(host, RF_PRIMITIVES);
    if (json_object_size(value)) {
        fputs("<details><summary>What the host's own operations cost"
              "</summary><table><tr><th>operation</th>"
              "<th class=\"n\">TSC ticks</th></tr>\n",
              out);
        json_object_foreach(json_object_get(host, RF_PRIMITIVES), key, value)
        {
            char figure[FIGURE_MAX];

            html_tagged(out, "<tr><td>", key, "</td>");
            html_tagged(out, "<td class=\"n\">",
                        table_figure(json_number_value(value), figure),
                        "</td></tr>\n");
        }
        fputs("</table></details>\n", out);
    }
}
