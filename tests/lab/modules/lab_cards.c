// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Makes NVIDIA cards of QEMU's bochs displays: the kernel enumerates them anew, and
 * every read of their identity in config space gives the ids of a real model.
 *
 * From there on nothing differs from a real card: sysfs, udev, libvirt and QEMU all see
 * the same ids, and they stay while drivers come and go. Unloading gives the cards back.
 *
 * models=rtx3060,rtx4090   what the displays are, in the order of their addresses; the
 *                          last one stands for all that follow
 */
#include <linux/module.h>
#include <linux/pci.h>

#define FUNCTIONS 4

struct function {
	u16 device;
	u32 class; /* class, subclass, interface */
};

static const struct model {
	const char *name;
	struct function functions[FUNCTIONS];
} models_known[] = {
	/* ids as in pci.ids */
	{ "rtx4090", { { 0x2684, 0x030000 }, { 0x22ba, 0x040300 } } },
	{ "rtx3060", { { 0x2504, 0x030000 }, { 0x228e, 0x040300 } } },
	{ "rtx2080", { { 0x1e87, 0x030000 }, { 0x10f8, 0x040300 },
		       { 0x1ad8, 0x0c0330 }, { 0x1ad9, 0x0c8000 } } },
	{ "a4000",   { { 0x24b0, 0x030000 }, { 0x228b, 0x040300 } } },
	{ "gtx480",  { { 0x06c0, 0x030000 }, { 0x0be5, 0x040300 } } },
};

#define MAX_CARDS 16
#define BOCHS_VENDOR 0x1234
#define BOCHS_DEVICE 0x1111

static char *models[MAX_CARDS] = { "rtx4090" };
static int models_count = 1;
module_param_array(models, charp, &models_count, 0444);
MODULE_PARM_DESC(models, "names of models, one for each card");

static struct card {
	struct pci_bus *bus;
	unsigned int slot;
	const struct model *model;
} cards[MAX_CARDS];
static int card_count;

static struct pci_ops *real_ops;
static struct pci_ops ops;

static const struct function *function_at(struct pci_bus *bus, unsigned int devfn)
{
	for (int i = 0; i < card_count; i++) {
		const struct card *card = &cards[i];
		unsigned int number = PCI_FUNC(devfn);

		if (card->bus == bus && card->slot == PCI_SLOT(devfn) && number < FUNCTIONS &&
		    card->model->functions[number].device)
			return &card->model->functions[number];
	}
	return NULL;
}

/* The byte at an offset of config space that tells who the function is, else -1. */
static int identity_byte(const struct function *function, int at)
{
	switch (at) {
	case PCI_VENDOR_ID:
	case PCI_SUBSYSTEM_VENDOR_ID:
		return PCI_VENDOR_ID_NVIDIA & 0xff;
	case PCI_VENDOR_ID + 1:
	case PCI_SUBSYSTEM_VENDOR_ID + 1:
		return PCI_VENDOR_ID_NVIDIA >> 8;
	case PCI_DEVICE_ID:
	case PCI_SUBSYSTEM_ID:
		return function->device & 0xff;
	case PCI_DEVICE_ID + 1:
	case PCI_SUBSYSTEM_ID + 1:
		return function->device >> 8;
	case PCI_CLASS_PROG ... PCI_CLASS_PROG + 2:
		return function->class >> 8 * (at - PCI_CLASS_PROG) & 0xff;
	default:
		return -1;
	}
}

static int read_disguised(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
	const struct function *function = function_at(bus, devfn);
	int result = real_ops->read(bus, devfn, where, size, value);

	/* All ones: nothing answers, so there is nobody to disguise. */
	if (!function || result || *value == ~0U >> (32 - 8 * size))
		return result;
	for (int i = 0; i < size; i++) {
		int byte = identity_byte(function, where + i);

		if (byte >= 0)
			*value = (*value & ~(0xffU << 8 * i)) | (u32)byte << 8 * i;
	}
	return 0;
}

static void enumerate_again(void)
{
	for (int i = 0; i < card_count; i++) {
		for (int number = FUNCTIONS - 1; number >= 0; number--) {
			struct pci_dev *dev = pci_get_slot(cards[i].bus,
							   PCI_DEVFN(cards[i].slot, number));

			if (dev) {
				pci_stop_and_remove_bus_device_locked(dev);
				pci_dev_put(dev);
			}
		}
	}
	for (int i = 0; i < card_count; i++) {
		pci_lock_rescan_remove();
		pci_rescan_bus(cards[i].bus);
		pci_unlock_rescan_remove();
	}
}

static const struct model *model_of(int index)
{
	const char *name = models[min(index, models_count - 1)];

	for (int i = 0; i < ARRAY_SIZE(models_known); i++)
		if (!strcmp(models_known[i].name, name))
			return &models_known[i];
	pr_err("lab_cards: no model is called %s\n", name);
	return NULL;
}

static int __init lab_cards_init(void)
{
	struct pci_dev *dev = NULL;

	while ((dev = pci_get_device(BOCHS_VENDOR, BOCHS_DEVICE, dev)) && card_count < MAX_CARDS) {
		const struct model *model = model_of(card_count);

		if (!model) {
			pci_dev_put(dev);
			return -EINVAL;
		}
		cards[card_count++] = (struct card){ dev->bus, PCI_SLOT(dev->devfn), model };
	}
	pci_dev_put(dev);
	if (!card_count)
		return -ENODEV;
	/* All buses of one host bridge share its operations. */
	real_ops = cards[0].bus->ops;
	ops = *real_ops;
	ops.read = read_disguised;
	for (int i = 0; i < card_count; i++)
		pci_bus_set_ops(cards[i].bus, &ops);
	enumerate_again();
	return 0;
}

static void __exit lab_cards_exit(void)
{
	for (int i = 0; i < card_count; i++)
		pci_bus_set_ops(cards[i].bus, real_ops);
	enumerate_again();
}

module_init(lab_cards_init);
module_exit(lab_cards_exit);
MODULE_DESCRIPTION("NVIDIA's ids for the displays of QEMU");
MODULE_LICENSE("Dual MIT/GPL");
