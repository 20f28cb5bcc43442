"""The commands of `footfall`, one file each."""
