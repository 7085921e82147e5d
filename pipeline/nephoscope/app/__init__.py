"""The app: `nephoscope serve`, a page to read pictures with, and a JSON endpoint for programs.

serving     opens the model, binds the address, runs the server
server      one ASGI application: guard, routes, page
guard       which requests are let in at all: hosts, origins
bodies      what a request carries, within bounds
pool        threads for the networks, and how many may wait for them
reading     bytes of a picture → what the networks say of it, and what eyes see
shelf       the pictures of every visitor, found under their own session alone
holdout     the pictures, truth and curves of a finished run
deciding    a moved rule → masks, presences, Dice, by the pipeline's own functions
downloads   what was decided, as files
"""
