/* Validates JSON files against a schema in a small subset of JSON Schema. */
#include <jansson.h>
#include <math.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 512

struct check {
    json_t *schema;   /* the root, for $ref */
    const char *file; /* for messages */
    char path[PATH_SIZE];
    int errors;
    bool quiet;  /* inside "if": a mismatch is an answer, not an error */
    bool broken; /* the schema itself is wrong; said once */
};

static void validate(struct check *c, json_t *schema, json_t *value);

static void complain(struct check *c, const char *what, const char *detail)
{
    c->errors++;
    if (c->quiet)
        return;
    fprintf(stderr, "%s: %s: %s%s%s\n", c->file, c->path[0] ? c->path : "/",
            what, detail ? " " : "", detail ? detail : "");
}

static void bad_schema(struct check *c, const char *what, const char *detail)
{
    if (!c->broken)
        fprintf(stderr, "schema: %s %s\n", what, detail);
    c->broken = true;
    c->errors++;
}

/* Appends "/name" to the path; path_leave with its result undoes it. */
static size_t path_enter(struct check *c, const char *name)
{
    size_t len = strlen(c->path);

    snprintf(c->path + len, sizeof(c->path) - len, "/%s", name);
    return len;
}

static void path_leave(struct check *c, size_t len)
{
    c->path[len] = '\0';
}

static bool has_type(const json_t *value, const char *type)
{
    if (!strcmp(type, "object"))
        return json_is_object(value);
    if (!strcmp(type, "array"))
        return json_is_array(value);
    if (!strcmp(type, "string"))
        return json_is_string(value);
    if (!strcmp(type, "boolean"))
        return json_is_boolean(value);
    if (!strcmp(type, "number"))
        return json_is_number(value);
    if (!strcmp(type, "integer"))
        return json_is_integer(value) ||
               (json_is_real(value) &&
                floor(json_real_value(value)) == json_real_value(value));
    return !strcmp(type, "null") && json_is_null(value);
}

static void check_type(struct check *c, json_t *rule, json_t *value)
{
    size_t i;
    json_t *one;

    if (json_is_string(rule)) {
        if (!has_type(value, json_string_value(rule)))
            complain(c, "is not of type", json_string_value(rule));
        return;
    }
    json_array_foreach(rule, i, one)
    {
        if (has_type(value, json_string_value(one)))
            return;
    }
    complain(c, "is of none of the allowed types", NULL);
}

static void check_enum(struct check *c, json_t *rule, json_t *value)
{
    size_t i;
    json_t *one;

    json_array_foreach(rule, i, one)
    {
        if (json_equal(one, value))
            return;
    }
    complain(c, "is not one of the allowed values:",
             json_is_string(value) ? json_string_value(value) : NULL);
}

static void check_pattern(struct check *c, json_t *rule, json_t *value)
{
    regex_t re;

    if (!json_is_string(value))
        return;
    if (regcomp(&re, json_string_value(rule), REG_EXTENDED | REG_NOSUB)) {
        bad_schema(c, "pattern doesn't compile:", json_string_value(rule));
        return;
    }
    if (regexec(&re, json_string_value(value), 0, NULL, 0))
        complain(c, "does not match", json_string_value(rule));
    regfree(&re);
}

static void check_required(struct check *c, json_t *rule, json_t *value)
{
    size_t i;
    json_t *name;

    if (!json_is_object(value))
        return;
    json_array_foreach(rule, i, name)
    {
        if (!json_object_get(value, json_string_value(name)))
            complain(c, "lacks the member", json_string_value(name));
    }
}

/* properties, additionalProperties and propertyNames together. */
static void check_members(struct check *c, json_t *schema, json_t *value)
{
    json_t *known = json_object_get(schema, "properties");
    json_t *other = json_object_get(schema, "additionalProperties");
    json_t *names = json_object_get(schema, "propertyNames");
    const char *key;
    json_t *member;

    json_object_foreach(value, key, member)
    {
        size_t len = path_enter(c, key);
        json_t *rule = json_object_get(known, key);
        json_t *name = json_string(key);

        if (names)
            validate(c, names, name);
        if (rule)
            validate(c, rule, member);
        else if (json_is_false(other))
            complain(c, "is not a member the schema knows", NULL);
        else if (json_is_object(other))
            validate(c, other, member);
        json_decref(name);
        path_leave(c, len);
    }
}

static void check_items(struct check *c, json_t *rule, json_t *value)
{
    size_t i;
    json_t *item;

    json_array_foreach(value, i, item)
    {
        char index[24];
        size_t len;

        snprintf(index, sizeof(index), "%zu", i);
        len = path_enter(c, index);
        validate(c, rule, item);
        path_leave(c, len);
    }
}

static void check_ref(struct check *c, json_t *rule, json_t *value)
{
    static const char prefix[] = "#/$defs/";
    const char *ref = json_string_value(rule);
    json_t *target = NULL;

    if (ref && !strncmp(ref, prefix, sizeof(prefix) - 1))
        target = json_object_get(json_object_get(c->schema, "$defs"),
                                 ref + sizeof(prefix) - 1);
    if (!target)
        bad_schema(c, "no such $ref:", ref ? ref : "(not a string)");
    else
        validate(c, target, value);
}

static void check_if(struct check *c, json_t *schema, json_t *value)
{
    int before = c->errors;
    bool quiet = c->quiet;
    json_t *branch;
    bool holds;

    c->quiet = true;
    validate(c, json_object_get(schema, "if"), value);
    holds = c->errors == before;
    c->quiet = quiet;
    c->errors = before;
    branch = json_object_get(schema, holds ? "then" : "else");
    if (branch)
        validate(c, branch, value);
}

static void check_keyword(struct check *c, const char *key, json_t *rule,
                          json_t *schema, json_t *value)
{
    /* Handled together with another keyword, or only for readers. */
    static const char *const silent[] = {"$schema",
                                         "$defs",
                                         "title",
                                         "description",
                                         "then",
                                         "else",
                                         "additionalProperties",
                                         "propertyNames"};
    double limit = json_number_value(rule);

    if (!strcmp(key, "type"))
        check_type(c, rule, value);
    else if (!strcmp(key, "enum"))
        check_enum(c, rule, value);
    else if (!strcmp(key, "pattern"))
        check_pattern(c, rule, value);
    else if (!strcmp(key, "required"))
        check_required(c, rule, value);
    else if (!strcmp(key, "items"))
        check_items(c, rule, value);
    else if (!strcmp(key, "$ref"))
        check_ref(c, rule, value);
    else if (!strcmp(key, "if"))
        check_if(c, schema, value);
    else if (!strcmp(key, "minimum")) {
        if (json_is_number(value) && json_number_value(value) < limit)
            complain(c, "is below the minimum", NULL);
    } else if (!strcmp(key, "minItems")) {
        if (json_is_array(value) && json_array_size(value) < limit)
            complain(c, "has too few items", NULL);
    } else if (!strcmp(key, "maxItems")) {
        if (json_is_array(value) && json_array_size(value) > limit)
            complain(c, "has too many items", NULL);
    } else if (strcmp(key, "properties")) {
        for (size_t i = 0; i < sizeof(silent) / sizeof(*silent); i++) {
            if (!strcmp(key, silent[i]))
                return;
        }
        bad_schema(c, "unknown keyword", key);
    }
}

static void validate(struct check *c, json_t *schema, json_t *value)
{
    const char *key;
    json_t *rule;

    if (!json_is_object(schema)) {
        bad_schema(c, "a rule is not an object at", c->path);
        return;
    }
    json_object_foreach(schema, key, rule)
        check_keyword(c, key, rule, schema, value);
    check_members(c, schema, value);
}

static json_t *load(const char *path)
{
    json_error_t err;
    json_t *j = json_load_file(path, JSON_REJECT_DUPLICATES, &err);

    if (!j)
        fprintf(stderr, "%s:%d:%d: %s\n", path, err.line, err.column, err.text);
    return j;
}

int main(int argc, char **argv)
{
    struct check c = {0};
    int status = 0;

    if (argc < 3) {
        fprintf(stderr, "usage: %s SCHEMA FILE...\n", argv[0]);
        return 2;
    }
    c.schema = load(argv[1]);
    if (!c.schema)
        return 2;
    for (int i = 2; i < argc; i++) {
        json_t *j = load(argv[i]);

        c.file = argv[i];
        c.errors = 0;
        c.path[0] = '\0';
        if (j)
            validate(&c, c.schema, j);
        if (!j || c.errors)
            status = 1;
        else
            printf("%s: valid\n", argv[i]);
        json_decref(j);
    }
    json_decref(c.schema);
    return c.broken ? 2 : status;
}
