"""Cards of data sets that nothing is converted of: without masks, or not to be had whole."""
