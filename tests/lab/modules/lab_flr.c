// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Makes a card that supports function-level reset (FLR) and does not come back from it. After the
 * reset, it answers every read of its config space with "retry" (RRS, formerly CRS) until the
 * module is unloaded. A root port turns that into all ones, and into 0001 where the vendor id is
 * read (kernel: pci_dev_wait()).
 *
 * All that is done and said about the reset is the kernel's. Writes go through, so that the card is
 * whole once the module is gone. reset_method is as before then, too.
 *
 * card=0000:02:00.0   the function that is reset
 */
#include <linux/module.h>
#include <linux/pci.h>

#define RETRY_VENDOR 0x0001

static char *card;
module_param(card, charp, 0444);
MODULE_PARM_DESC(card, "address of the card");

static struct pci_dev *dev;
static u8 methods[PCI_NUM_RESET_METHODS]; /* how the card was reset before */
static bool lost;

static struct pci_ops *real_ops;
static struct pci_ops ops;

static int read_or_retry(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
	if (!lost || devfn != dev->devfn)
		return real_ops->read(bus, devfn, where, size, value);
	*value = ~0U >> (32 - 8 * size);
	if (where == PCI_VENDOR_ID && size > 1)
		*value = (*value & ~0xffffU) | RETRY_VENDOR;
	return 0;
}

static int write_and_lose(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 value)
{
	if (devfn == dev->devfn && where == pci_pcie_cap(dev) + PCI_EXP_DEVCTL &&
	    value & PCI_EXP_DEVCTL_BCR_FLR)
		lost = true;
	return real_ops->write(bus, devfn, where, size, value);
}

static int __init lab_flr_init(void)
{
	unsigned int domain, bus, slot, function;

	if (!card || sscanf(card, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		return -EINVAL;
	dev = pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(slot, function));
	if (!dev)
		return -ENODEV;
	memcpy(methods, dev->reset_methods, sizeof(methods));
	dev->devcap |= PCI_EXP_DEVCAP_FLR;
	real_ops = dev->bus->ops;
	ops = *real_ops;
	ops.read = read_or_retry;
	ops.write = write_and_lose;
	pci_bus_set_ops(dev->bus, &ops);
	return 0;
}

static void __exit lab_flr_exit(void)
{
	pci_bus_set_ops(dev->bus, real_ops);
	dev->devcap &= ~PCI_EXP_DEVCAP_FLR;
	memcpy(dev->reset_methods, methods, sizeof(methods));
	pci_dev_put(dev);
}

module_init(lab_flr_init);
module_exit(lab_flr_exit);
MODULE_DESCRIPTION("A card that does not answer after a reset");
MODULE_LICENSE("Dual MIT/GPL");
