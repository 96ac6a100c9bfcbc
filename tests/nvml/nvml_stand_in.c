/* A stand-in for NVIDIA's libnvidia-ml.so.1: enough of NVML for monitors to run
 * where there is no NVIDIA card, with values and faults that can be changed live.
 *
 * It lists what a sysfs tree shows bound to the driver "nvidia", holds the device
 * nodes open as the real library does, and takes its answers from a control file
 * (README.md beside this file), else from waves that move with the clock.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NO_PERMISSION = 4,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9,
    GPU_IS_LOST = 15,
    RESET_REQUIRED = 16,
    VERSION_MISMATCH = 18,
    ARGUMENT_VERSION_MISMATCH = 25,
    UNKNOWN = 999,
};

enum { MAX_CARDS = 64, MAX_PROCESSES = 4096, TEXT = 16384 };

typedef unsigned int uint;
typedef unsigned long long ull;

typedef struct card {
    char address[24];
    uint domain, bus, device, function;
    int index;
    int fd;
} *Handle;

static struct card cards[MAX_CARDS];
static int card_count;
static int initialised;
static int control_fd = -1;

/* --- the control file ---------------------------------------------------- */

static const char *setting(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

/* Where the control file is. In the lab root's programs take no word for it from their
   environment, so that it has a place there. */
static const char *control_path(void) {
    return setting("VFIOTOP_STANDIN_CONTROL", "/run/lab/nvml");
}

/* Calls `each` with the rest of every line "SUBJECT WORD REST" for this subject or "*". */
static void control_lines(const char *subject, const char *word,
                          void (*each)(const char *rest, void *to), void *to) {
    FILE *file = fopen(control_path(), "re");
    if (!file)
        return;
    static char line[TEXT];
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        char *whose = strtok(line, " ");
        char *what = strtok(NULL, " ");
        char *rest = strtok(NULL, "");
        if (!whose || !what || strcmp(what, word))
            continue;
        if (!strcmp(whose, "*") || !strcmp(whose, subject))
            each(rest ? rest : "", to);
    }
    fclose(file);
}

static void keep(const char *rest, void *to) { snprintf(to, TEXT, "%s", rest); }

/* The last line wins, so that `echo ... >> control` changes a value. */
static bool control(const char *subject, const char *word, char text[TEXT]) {
    text[0] = 0;
    control_lines(subject, word, keep, text);
    return text[0] != 0;
}

static int error_named(const char *text) {
    static const struct { const char *name; int code; } errors[] = {
        {"unsupported", NOT_SUPPORTED}, {"denied", NO_PERMISSION}, {"lost", GPU_IS_LOST},
        {"reset", RESET_REQUIRED},      {"mismatch", VERSION_MISMATCH},
        {"unloaded", DRIVER_NOT_LOADED}, {"unknown", UNKNOWN},
    };
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (!strcmp(text, errors[i].name))
            return errors[i].code;
    int code = SUCCESS;
    sscanf(text, "error%d", &code);
    return code;
}

/* Hangs, and tells those who wait for it by a file beside the control file. */
static void hang(void) {
    char path[4096];
    snprintf(path, sizeof path, "%s.hangs", control_path());
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    for (;;)
        pause();
}

static int suffer(const char *fault) {
    if (!strcmp(fault, "hang"))
        hang();
    if (!strcmp(fault, "crash"))
        raise(SIGSEGV);
    return error_named(fault);
}

/* --- the cards ----------------------------------------------------------- */

static void driver_path(char *path, size_t size, const char *address) {
    snprintf(path, size, "%s/bus/pci/drivers/nvidia/%s", setting("VFIOTOP_STANDIN_SYSFS", "/sys"),
             address);
}

static int by_address(const void *a, const void *b) {
    return strcmp(((Handle)a)->address, ((Handle)b)->address);
}

static int open_node(const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", setting("VFIOTOP_STANDIN_DEV", "/dev"), name);
    return open(path, O_RDWR | O_CLOEXEC);
}

static void find_cards(void) {
    char path[4096];
    driver_path(path, sizeof path, "");
    DIR *folder = opendir(path);
    card_count = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder)) && card_count < MAX_CARDS;) {
        struct card card = {.fd = -1};
        if (strlen(entry->d_name) >= sizeof card.address ||
            sscanf(entry->d_name, "%x:%x:%x.%x", &card.domain, &card.bus, &card.device,
                   &card.function) != 4)
            continue;
        strcpy(card.address, entry->d_name);
        cards[card_count++] = card;
    }
    if (folder)
        closedir(folder);
    qsort(cards, card_count, sizeof *cards, by_address);
    for (int i = 0; i < card_count; i++)
        cards[i].index = i;
}

/* N of the card's node /dev/nvidiaN: what the kernel module says, else its place. */
static int minor_number(Handle card) {
    char path[4096], line[256];
    int number = card->index;
    snprintf(path, sizeof path, "%s/driver/nvidia/gpus/%s/information",
             setting("VFIOTOP_STANDIN_PROC", "/proc"), card->address);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "Device Minor: %d", &number);
    if (file)
        fclose(file);
    return number;
}

/* A handle opens the card's node, and keeps it until nvmlShutdown. */
static int attach(Handle card) {
    char name[32];
    snprintf(name, sizeof name, "nvidia%d", minor_number(card));
    if (card->fd < 0)
        card->fd = open_node(name);
    return SUCCESS;
}

static int check(Handle card) {
    char path[4096], fault[TEXT];
    if (!initialised)
        return UNINITIALIZED;
    if (card < cards || card >= cards + card_count)
        return INVALID_ARGUMENT;
    driver_path(path, sizeof path, card->address);
    if (access(path, F_OK))
        return GPU_IS_LOST;
    return control(card->address, "fault", fault) ? suffer(fault) : SUCCESS;
}

/* The value of `word` for a card: what the control file says, else the usual one.
 * "unsupported", "denied" and the other errors may stand for a value, "na" for all ones. */
static int ask(Handle card, const char *word, ull usual, ull *value) {
    char text[TEXT];
    int result = check(card);
    *value = usual;
    if (result || !control(card->address, word, text))
        return result;
    if ((result = suffer(text)))
        return result;
    *value = strcmp(text, "na") ? strtoull(text, NULL, 0) : ~0ULL;
    return SUCCESS;
}

static int ask_uint(Handle card, const char *word, ull usual, uint *value) {
    ull wide;
    int result = ask(card, word, usual, &wide);
    if (!result)
        *value = (uint)wide;
    return result;
}

/* "\xNN" stands for a byte, so that a name can be hostile. */
static int ask_text(Handle card, const char *word, const char *usual, char *to, uint size) {
    char text[TEXT];
    int result = card ? check(card) : initialised ? SUCCESS : UNINITIALIZED;
    if (result)
        return result;
    if (!control(card ? card->address : "*", word, text))
        snprintf(text, sizeof text, "%s", usual);
    uint length = 0;
    for (char *from = text; *from && length + 1 < size; length++) {
        uint byte;
        if (sscanf(from, "\\x%2x", &byte) == 1) {
            to[length] = (char)byte;
            from += 4;
        } else
            to[length] = *from++;
    }
    to[length] = 0;
    return SUCCESS;
}

/* --- a life of their own -------------------------------------------------- */

static ull moment(void) {
    const char *fixed = setting("VFIOTOP_STANDIN_STEP", NULL);
    struct timespec now;
    if (fixed)
        return strtoull(fixed, NULL, 10);
    clock_gettime(CLOCK_REALTIME, &now);
    return (ull)now.tv_sec;
}

/* A triangle between low and high, one turn in `period` seconds, each card shifted. */
static ull wave(Handle card, ull low, ull high, ull period) {
    ull index = card >= cards && card < cards + card_count ? (ull)card->index : 0;
    ull at = (moment() + index * period / 3) % period;
    ull up = at * 2 < period ? at * 2 : (period - at) * 2;
    return low + (high - low) * up / period;
}

static const ull MIB = 1024 * 1024;

/* --- the library ---------------------------------------------------------- */

/* Without NO_GPUS all cards are opened at once. */
enum { NO_GPUS = 1 };
int nvmlInitWithFlags(uint flags) {
    char text[TEXT];
    if (control("*", "init", text)) {
        int result = suffer(text);
        if (result)
            return result;
    }
    if (initialised++ == 0) {
        find_cards();
        control_fd = open_node("nvidiactl");
        for (int i = 0; i < card_count && !(flags & NO_GPUS); i++)
            attach(&cards[i]);
    }
    return SUCCESS;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlInit(void) { return nvmlInitWithFlags(0); }

int nvmlShutdown(void) {
    if (!initialised)
        return UNINITIALIZED;
    if (--initialised)
        return SUCCESS;
    for (int i = 0; i < card_count; i++)
        if (cards[i].fd >= 0)
            close(cards[i].fd);
    if (control_fd >= 0)
        close(control_fd);
    control_fd = -1;
    card_count = 0;
    return SUCCESS;
}

const char *nvmlErrorString(int code) {
    switch (code) {
    case SUCCESS: return "The operation was successful";
    case UNINITIALIZED: return "Uninitialized";
    case INVALID_ARGUMENT: return "Invalid Argument";
    case NOT_SUPPORTED: return "Not Supported";
    case NO_PERMISSION: return "Insufficient Permissions";
    case NOT_FOUND: return "Not Found";
    case GPU_IS_LOST: return "GPU is lost";
    case RESET_REQUIRED: return "GPU requires reset";
    default: return "Unknown Error";
    }
}

int nvmlSystemGetDriverVersion(char *to, uint size) {
    return ask_text(NULL, "driver", "580.105.08", to, size);
}
int nvmlSystemGetNVMLVersion(char *to, uint size) {
    return ask_text(NULL, "nvml", "13.580.105.08", to, size);
}
int nvmlSystemGetCudaDriverVersion(int *version) { return *version = 13000, SUCCESS; }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { return *version = 13000, SUCCESS; }
int nvmlSystemGetProcessName(uint pid, char *to, uint size) {
    snprintf(to, size, "/usr/bin/process-%u", pid);
    return SUCCESS;
}

int nvmlDeviceGetCount_v2(uint *count) {
    *count = (uint)card_count;
    return initialised ? SUCCESS : UNINITIALIZED;
}
int nvmlDeviceGetCount(uint *count) { return nvmlDeviceGetCount_v2(count); }

int nvmlDeviceGetHandleByIndex_v2(uint index, Handle *handle) {
    if (!initialised || index >= (uint)card_count)
        return initialised ? INVALID_ARGUMENT : UNINITIALIZED;
    int result = check(*handle = &cards[index]);
    return result ? result : attach(*handle);
}
int nvmlDeviceGetHandleByIndex(uint index, Handle *handle) {
    return nvmlDeviceGetHandleByIndex_v2(index, handle);
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *id, Handle *handle) {
    uint domain, bus, device, function;
    if (!initialised)
        return UNINITIALIZED;
    if (sscanf(id, "%x:%x:%x.%x", &domain, &bus, &device, &function) != 4)
        return INVALID_ARGUMENT;
    for (int i = 0; i < card_count; i++)
        if (cards[i].domain == domain && cards[i].bus == bus && cards[i].device == device)
            return nvmlDeviceGetHandleByIndex_v2((uint)i, handle);
    return NOT_FOUND;
}
int nvmlDeviceGetHandleByPciBusId(const char *id, Handle *handle) {
    return nvmlDeviceGetHandleByPciBusId_v2(id, handle);
}

struct pci {
    char legacy[16];
    uint domain, bus, device, id, subsystem;
    char bus_id[32];
};
int nvmlDeviceGetPciInfo_v3(Handle card, struct pci *pci) {
    int result = check(card);
    if (result)
        return result;
    memset(pci, 0, sizeof *pci);
    pci->domain = card->domain, pci->bus = card->bus, pci->device = card->device;
    pci->id = 0x268410de;
    snprintf(pci->legacy, sizeof pci->legacy, "%04X:%02X:%02X.0", card->domain & 0xffff,
             card->bus & 0xff, card->device & 0xff);
    snprintf(pci->bus_id, sizeof pci->bus_id, "%08X:%02X:%02X.0", card->domain, card->bus,
             card->device);
    return SUCCESS;
}
int nvmlDeviceGetPciInfo_v2(Handle card, struct pci *pci) {
    return nvmlDeviceGetPciInfo_v3(card, pci);
}
int nvmlDeviceGetPciInfo(Handle card, struct pci *pci) { return nvmlDeviceGetPciInfo_v3(card, pci); }

int nvmlDeviceGetName(Handle card, char *to, uint size) {
    return ask_text(card, "name", "NVIDIA GeForce RTX 4090", to, size);
}
int nvmlDeviceGetUUID(Handle card, char *to, uint size) {
    char text[64];
    int result = check(card);
    if (result)
        return result;
    snprintf(text, sizeof text, "GPU-00000000-0000-0000-0000-%012x", card->bus);
    return ask_text(card, "uuid", text, to, size);
}
int nvmlDeviceGetIndex(Handle card, uint *index) {
    int result = check(card);
    return result ? result : (*index = (uint)card->index, SUCCESS);
}
int nvmlDeviceGetMinorNumber(Handle card, uint *minor) {
    int result = check(card);
    return result ? result : (*minor = (uint)minor_number(card), SUCCESS);
}
int nvmlDeviceGetBrand(Handle card, uint *brand) { return ask_uint(card, "brand", 5, brand); }
int nvmlDeviceGetArchitecture(Handle card, uint *to) { return ask_uint(card, "arch", 8, to); }
int nvmlDeviceGetCudaComputeCapability(Handle card, int *major, int *minor) {
    *major = 8, *minor = 9;
    return check(card);
}
int nvmlDeviceGetPersistenceMode(Handle card, uint *mode) {
    return ask_uint(card, "persistence", 0, mode);
}
int nvmlDeviceGetPerformanceState(Handle card, uint *state) {
    return ask_uint(card, "pstate", wave(card, 0, 8, 40), state);
}

struct utilisation {
    uint gpu, memory;
};
int nvmlDeviceGetUtilizationRates(Handle card, struct utilisation *rates) {
    int result = ask_uint(card, "util", wave(card, 5, 97, 40), &rates->gpu);
    return result ? result : ask_uint(card, "mem_util", wave(card, 2, 60, 40), &rates->memory);
}

struct memory {
    ull total, free, used;
};
struct memory_v2 {
    uint version;
    ull total, reserved, free, used;
};
static int memory(Handle card, ull *total, ull *used) {
    int result = ask(card, "mem_total", 24564 * MIB, total);
    return result ? result : ask(card, "mem_used", wave(card, 900, 21000, 90) * MIB, used);
}
int nvmlDeviceGetMemoryInfo(Handle card, struct memory *to) {
    int result = memory(card, &to->total, &to->used);
    return to->free = to->total - to->used, result;
}
int nvmlDeviceGetMemoryInfo_v2(Handle card, struct memory_v2 *to) {
    if (to->version != (sizeof *to | 2u << 24))
        return ARGUMENT_VERSION_MISMATCH;
    int result = memory(card, &to->total, &to->used);
    to->reserved = 381 * MIB;
    return to->free = to->total - to->used - to->reserved, result;
}
int nvmlDeviceGetBAR1MemoryInfo(Handle card, struct memory *to) {
    int result = check(card);
    return to->total = 32768 * MIB, to->used = 12 * MIB, to->free = to->total - to->used, result;
}

struct temperature {
    uint version, sensor;
    int celsius;
};
int nvmlDeviceGetTemperature(Handle card, uint sensor, uint *celsius) {
    return sensor ? INVALID_ARGUMENT : ask_uint(card, "temp", wave(card, 38, 79, 120), celsius);
}
int nvmlDeviceGetTemperatureV(Handle card, struct temperature *to) {
    if (to->version != (sizeof *to | 1u << 24))
        return ARGUMENT_VERSION_MISMATCH;
    return nvmlDeviceGetTemperature(card, to->sensor, (uint *)&to->celsius);
}
int nvmlDeviceGetTemperatureThreshold(Handle card, uint kind, uint *celsius) {
    return ask_uint(card, kind == 1 ? "temp_limit" : "temp_shutdown", kind == 1 ? 90 : 95, celsius);
}

int nvmlDeviceGetNumFans(Handle card, uint *count) { return ask_uint(card, "fans", 2, count); }
int nvmlDeviceGetFanSpeed(Handle card, uint *percent) {
    return ask_uint(card, "fan", wave(card, 30, 66, 120), percent);
}
int nvmlDeviceGetFanSpeed_v2(Handle card, uint fan, uint *percent) {
    return fan > 1 ? INVALID_ARGUMENT : nvmlDeviceGetFanSpeed(card, percent);
}

int nvmlDeviceGetPowerUsage(Handle card, uint *milliwatts) {
    return ask_uint(card, "power", wave(card, 24, 431, 40) * 1000, milliwatts);
}
int nvmlDeviceGetEnforcedPowerLimit(Handle card, uint *milliwatts) {
    return ask_uint(card, "power_limit", 450000, milliwatts);
}
int nvmlDeviceGetPowerManagementLimit(Handle card, uint *milliwatts) {
    return nvmlDeviceGetEnforcedPowerLimit(card, milliwatts);
}
int nvmlDeviceGetPowerManagementMode(Handle card, uint *on) { return *on = 1, check(card); }

int nvmlDeviceGetClockInfo(Handle card, uint kind, uint *mhz) {
    if (kind == 2)
        return ask_uint(card, "mem_clock", 10501, mhz);
    return kind > 3 ? INVALID_ARGUMENT : ask_uint(card, "clock", wave(card, 210, 2790, 40), mhz);
}
int nvmlDeviceGetMaxClockInfo(Handle card, uint kind, uint *mhz) {
    return *mhz = kind == 2 ? 10501 : 3105, check(card);
}

int nvmlDeviceGetCurrPcieLinkGeneration(Handle card, uint *to) {
    return ask_uint(card, "gen", wave(card, 1, 4, 40), to);
}
int nvmlDeviceGetCurrPcieLinkWidth(Handle card, uint *to) { return ask_uint(card, "width", 16, to); }
int nvmlDeviceGetMaxPcieLinkGeneration(Handle card, uint *to) {
    return ask_uint(card, "gen_max", 4, to);
}
int nvmlDeviceGetMaxPcieLinkWidth(Handle card, uint *to) {
    return ask_uint(card, "width_max", 16, to);
}
/* The real one measures for 20 ms. */
int nvmlDeviceGetPcieThroughput(Handle card, uint counter, uint *kilobytes) {
    usleep(20000);
    return *kilobytes = (uint)wave(card, 100, 900000, 40) / (counter + 1), check(card);
}

int nvmlDeviceGetEncoderUtilization(Handle card, uint *percent, uint *period) {
    return *period = 167000, ask_uint(card, "enc", wave(card, 0, 35, 60), percent);
}
int nvmlDeviceGetDecoderUtilization(Handle card, uint *percent, uint *period) {
    return *period = 167000, ask_uint(card, "dec", wave(card, 0, 12, 60), percent);
}

int nvmlDeviceGetCurrentClocksEventReasons(Handle card, ull *reasons) {
    return ask(card, "throttle", wave(card, 0, 100, 40) > 90 ? 4 : 0, reasons);
}
int nvmlDeviceGetCurrentClocksThrottleReasons(Handle card, ull *reasons) {
    return nvmlDeviceGetCurrentClocksEventReasons(card, reasons);
}

/* --- processes ------------------------------------------------------------- */

struct process {
    uint pid;
    ull bytes;
    uint gpu_instance, compute_instance;
};
struct processes {
    const char *kind;
    bool told;
    uint count;
    struct process list[MAX_PROCESSES];
};

static void add_process(struct processes *to, uint pid, ull bytes) {
    if (to->count < MAX_PROCESSES)
        to->list[to->count++] = (struct process){pid, bytes, ~0u, ~0u};
}

/* "graphics 1234 512": kind, pid and MiB, or "na" for them. "none" forgets those before. */
static void read_process(const char *rest, void *data) {
    struct processes *to = data;
    char kind[16] = "", size[24] = "";
    uint pid = 0;
    to->told = true;
    if (!strcmp(rest, "none"))
        to->count = 0;
    else if (sscanf(rest, "%15s %u %23s", kind, &pid, size) == 3 && !strcmp(kind, to->kind))
        add_process(to, pid, strcmp(size, "na") ? strtoull(size, NULL, 10) * MIB : ~0ULL);
}

static int processes(Handle card, const char *kind, uint *count, struct process *to) {
    static struct processes found;
    ull ignored;
    int result = ask(card, kind, 0, &ignored);
    if (result)
        return result;
    found.kind = kind, found.told = false, found.count = 0;
    control_lines(card->address, "process", read_process, &found);
    if (!found.told && card->index == 0)
        add_process(&found, strcmp(kind, "graphics") ? (uint)getppid() : 1,
                    wave(card, 200, 4000, 90) * MIB);
    uint room = *count;
    *count = found.count;
    if (found.count > room || (found.count && !to))
        return INSUFFICIENT_SIZE;
    if (found.count)
        memcpy(to, found.list, found.count * sizeof *to);
    return SUCCESS;
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(Handle card, uint *count, struct process *to) {
    return processes(card, "graphics", count, to);
}
int nvmlDeviceGetGraphicsRunningProcesses_v2(Handle card, uint *count, struct process *to) {
    return processes(card, "graphics", count, to);
}
int nvmlDeviceGetComputeRunningProcesses_v3(Handle card, uint *count, struct process *to) {
    return processes(card, "compute", count, to);
}
int nvmlDeviceGetComputeRunningProcesses_v2(Handle card, uint *count, struct process *to) {
    return processes(card, "compute", count, to);
}
/* The first version's entries, which nvtop reads, are shorter. */
struct process_v1 {
    uint pid;
    ull bytes;
};
static int processes_v1(Handle card, const char *kind, uint *count, struct process_v1 *to) {
    struct process longer[MAX_PROCESSES];
    uint room = *count;
    *count = MAX_PROCESSES;
    int result = processes(card, kind, count, longer);
    if (result)
        return result;
    if (*count > room || (*count && !to))
        return INSUFFICIENT_SIZE;
    for (uint i = 0; i < *count; i++)
        to[i] = (struct process_v1){longer[i].pid, longer[i].bytes};
    return SUCCESS;
}
int nvmlDeviceGetGraphicsRunningProcesses(Handle card, uint *count, struct process_v1 *to) {
    return processes_v1(card, "graphics", count, to);
}
int nvmlDeviceGetComputeRunningProcesses(Handle card, uint *count, struct process_v1 *to) {
    return processes_v1(card, "compute", count, to);
}
int nvmlDeviceGetMPSComputeRunningProcesses_v3(Handle card, uint *count, struct process *to) {
    (void)to;
    return *count = 0, check(card);
}
/* Its presence tells callers that the process entries above have four fields. */
int nvmlDeviceGetRunningProcessDetailList(Handle card, void *list) {
    (void)list;
    int result = check(card);
    return result ? result : NOT_SUPPORTED;
}
/* Every process has the load of the card, shared out; `load unsupported` tells none. */
struct load_sample {
    uint pid;
    ull time;
    uint sm, mem, enc, dec;
};
int nvmlDeviceGetProcessUtilization(Handle card, struct load_sample *to, uint *count, ull since) {
    struct process found[2 * MAX_PROCESSES];
    uint graphics = MAX_PROCESSES, compute = MAX_PROCESSES;
    int result = processes(card, "graphics", &graphics, found);
    if (!result)
        result = processes(card, "compute", &compute, found + graphics);
    if (result)
        return result;
    uint all = graphics + compute;
    if (!all)
        return *count = 0, NOT_FOUND;
    if (*count < all || !to)
        return *count = all, INSUFFICIENT_SIZE;
    struct utilisation whole;
    result = nvmlDeviceGetUtilizationRates(card, (void *)&whole);
    if (result)
        return result;
    for (uint i = 0; i < all; i++)
        to[i] = (struct load_sample){found[i].pid, since + 1, whole.gpu / all, 0, 0, 0};
    return *count = all, SUCCESS;
}
