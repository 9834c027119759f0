"""Word lists of clean origin (training/README.md names each), as text, and the script that drew them out of packages."""
