"""What people look at: drawings on images, plots, and the one kind of page that all reports are."""
