// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Stands in for NVIDIA's kernel module where it touches binding: it binds the cards that
 * lab_cards.c makes, gives each a node that counts its users, and its remove callback
 * waits for them without end, as the real one does. A card that may sleep (power/control
 * "auto", which is not the default) sleeps when nobody has its node for IDLE_MS.
 *
 * /dev/nvidiaN, /dev/nvidiactl           character devices of major 195
 * /proc/driver/nvidia/version            the driver's version
 * /proc/driver/nvidia/gpus/A/information "Device Minor" of the card at address A
 *
 * version=580.105.08   what it says of itself
 * unrecoverable=1      users that leave after the removal began are not counted out any
 *                      more, as from driver 595 on: the removal never ends
 */
#include <linux/cdev.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/version.h>

#define MAJOR_NUMBER 195
#define CONTROL_MINOR 255
#define MAX_CARDS 32
#define TURN_MS 500
#define IDLE_MS 2000

static char *version = "580.105.08";
module_param(version, charp, 0444);
MODULE_PARM_DESC(version, "the driver's version");
static bool unrecoverable;
module_param(unrecoverable, bool, 0644);
MODULE_PARM_DESC(unrecoverable, "a removal that waits never ends");

static struct card {
	struct pci_dev *dev; /* NULL: this minor is free */
	atomic_t users;
	bool leaving;
	void *page; /* what a mapping of the node shows */
	struct proc_dir_entry *folder;
} cards[MAX_CARDS];
static DEFINE_MUTEX(lock);

static struct class *nodes;
static struct cdev chars;
static struct proc_dir_entry *proc, *proc_gpus;

/* --- nodes ---------------------------------------------------------------- */

static int node_open(struct inode *inode, struct file *file)
{
	unsigned int minor = iminor(inode);
	struct card *card;
	int result = 0;

	if (minor == CONTROL_MINOR)
		return 0;
	if (minor >= MAX_CARDS)
		return -ENXIO;
	mutex_lock(&lock);
	card = &cards[minor];
	if (!card->dev || card->leaving)
		result = -ENODEV;
	else
		result = pm_runtime_resume_and_get(&card->dev->dev);
	if (!result)
		atomic_inc(&card->users);
	mutex_unlock(&lock);
	file->private_data = card;
	return result;
}

/* Called when the last fd and the last mapping are gone: a mapping keeps its file. */
static int node_release(struct inode *inode, struct file *file)
{
	struct card *card = file->private_data;

	if (!card || (unrecoverable && card->leaving))
		return 0;
	/* First this: without users the card may be gone. */
	pm_runtime_mark_last_busy(&card->dev->dev);
	pm_runtime_put_autosuspend(&card->dev->dev);
	atomic_dec(&card->users);
	return 0;
}

static int node_mmap(struct file *file, struct vm_area_struct *area)
{
	struct card *card = file->private_data;

	if (!card || vma_pages(area) != 1)
		return -EINVAL;
	return remap_pfn_range(area, area->vm_start, virt_to_phys(card->page) >> PAGE_SHIFT,
			       PAGE_SIZE, area->vm_page_prot);
}

static const struct file_operations node_operations = {
	.owner = THIS_MODULE,
	.open = node_open,
	.release = node_release,
	.mmap = node_mmap,
};

/* --- /proc ---------------------------------------------------------------- */

static int show_version(struct seq_file *out, void *unused)
{
	seq_printf(out, "NVRM version: NVIDIA UNIX x86_64 Kernel Module  %s  the lab's stand-in\n",
		   version);
	return 0;
}

static int show_information(struct seq_file *out, void *unused)
{
	struct card *card = out->private;

	seq_puts(out, "Model: \t\t NVIDIA card of the lab\n");
	seq_puts(out, "Bus Type: \t PCIe\n");
	seq_printf(out, "Bus Location: \t %s\n", pci_name(card->dev));
	seq_printf(out, "Device Minor: \t %d\n", (int)(card - cards));
	seq_puts(out, "GPU Excluded:\t No\n");
	return 0;
}

/* --- cards ---------------------------------------------------------------- */

static int probe(struct pci_dev *dev, const struct pci_device_id *id)
{
	struct card *card = NULL;
	int result = pcim_enable_device(dev);

	if (result)
		return result;
	mutex_lock(&lock);
	for (int i = 0; i < MAX_CARDS && !card; i++)
		if (!cards[i].dev)
			card = &cards[i];
	if (card) {
		card->page = (void *)get_zeroed_page(GFP_KERNEL);
		card->dev = card->page ? dev : NULL;
		card->leaving = false;
		atomic_set(&card->users, 0);
	}
	mutex_unlock(&lock);
	if (!card || !card->dev)
		return -ENOMEM;
	pci_set_drvdata(dev, card);
	card->folder = proc_mkdir(pci_name(dev), proc_gpus);
	proc_create_single_data("information", 0444, card->folder, show_information, card);
	device_create(nodes, NULL, MKDEV(MAJOR_NUMBER, card - cards), NULL, "nvidia%d",
		      (int)(card - cards));
	/* The PCI core has counted itself as a user for us: from here on only openers count. */
	pm_runtime_set_autosuspend_delay(&dev->dev, IDLE_MS);
	pm_runtime_use_autosuspend(&dev->dev);
	pm_runtime_mark_last_busy(&dev->dev);
	pm_runtime_put_autosuspend(&dev->dev);
	return 0;
}

static void remove(struct pci_dev *dev)
{
	struct card *card = pci_get_drvdata(dev);

	/* What probe gave back; the PCI core has already woken the card for this. */
	pm_runtime_get_noresume(&dev->dev);
	pm_runtime_dont_use_autosuspend(&dev->dev);
	mutex_lock(&lock);
	card->leaving = true;
	mutex_unlock(&lock);
	if (atomic_read(&card->users)) {
		pr_warn("NVRM: Attempting to remove device %s with non-zero usage count!\n",
			pci_name(dev));
		while (atomic_read(&card->users))
			msleep(TURN_MS);
		pr_warn("NVRM: Continuing with GPU removal for device %s\n", pci_name(dev));
	}
	device_destroy(nodes, MKDEV(MAJOR_NUMBER, card - cards));
	proc_remove(card->folder);
	mutex_lock(&lock);
	free_page((unsigned long)card->page);
	card->dev = NULL;
	mutex_unlock(&lock);
}

/*
 * A card that sleeps is as one whose power is cut: a read of its config space wakes it, which
 * the PCI core does for no other state.
 */
static int power_off(struct device *dev)
{
	struct pci_dev *card = to_pci_dev(dev);

	pci_save_state(card);
	card->current_state = PCI_D3cold;
	return 0;
}

/* The PCI core has set the state and written config space back. */
static int power_on(struct device *dev)
{
	return 0;
}

static const struct dev_pm_ops power = {
	SET_RUNTIME_PM_OPS(power_off, power_on, NULL)
};

static const struct pci_device_id ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_NVIDIA, PCI_ANY_ID), .class = PCI_CLASS_DISPLAY_VGA << 8,
	  .class_mask = ~0 },
	{ PCI_DEVICE(PCI_VENDOR_ID_NVIDIA, PCI_ANY_ID), .class = PCI_CLASS_DISPLAY_3D << 8,
	  .class_mask = ~0 },
	{ }
};
MODULE_DEVICE_TABLE(pci, ids);

static struct pci_driver driver = {
	.name = "nvidia",
	.id_table = ids,
	.probe = probe,
	.remove = remove,
	.driver.pm = &power,
};

/* --- the module ----------------------------------------------------------- */

static char *node_mode(
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
	const struct device *dev,
#else
	struct device *dev,
#endif
	umode_t *mode)
{
	if (mode)
		*mode = 0666;
	return NULL;
}

static int __init nvidia_init(void)
{
	int result = register_chrdev_region(MKDEV(MAJOR_NUMBER, 0), 256, "nvidia");

	if (result)
		return result;
	cdev_init(&chars, &node_operations);
	chars.owner = THIS_MODULE;
	result = cdev_add(&chars, MKDEV(MAJOR_NUMBER, 0), 256);
	if (result)
		goto no_cdev;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	nodes = class_create("nvidia");
#else
	nodes = class_create(THIS_MODULE, "nvidia");
#endif
	if (IS_ERR(nodes)) {
		result = PTR_ERR(nodes);
		goto no_class;
	}
	nodes->devnode = node_mode;
	device_create(nodes, NULL, MKDEV(MAJOR_NUMBER, CONTROL_MINOR), NULL, "nvidiactl");
	proc = proc_mkdir("driver/nvidia", NULL);
	proc_gpus = proc_mkdir("gpus", proc);
	proc_create_single_data("version", 0444, proc, show_version, NULL);
	result = pci_register_driver(&driver);
	if (!result)
		return 0;
	proc_remove(proc);
	device_destroy(nodes, MKDEV(MAJOR_NUMBER, CONTROL_MINOR));
	class_destroy(nodes);
no_class:
	cdev_del(&chars);
no_cdev:
	unregister_chrdev_region(MKDEV(MAJOR_NUMBER, 0), 256);
	return result;
}

static void __exit nvidia_exit(void)
{
	pci_unregister_driver(&driver);
	proc_remove(proc);
	device_destroy(nodes, MKDEV(MAJOR_NUMBER, CONTROL_MINOR));
	class_destroy(nodes);
	cdev_del(&chars);
	unregister_chrdev_region(MKDEV(MAJOR_NUMBER, 0), 256);
}

module_init(nvidia_init);
module_exit(nvidia_exit);
MODULE_DESCRIPTION("A stand-in for NVIDIA's driver, for tests of binding");
MODULE_LICENSE("Dual MIT/GPL");
MODULE_VERSION("580.105.08");
