"""`facerec scan`: many pictures at once, each sent once and none missed, whenever it is interrupted.

sources     which pictures, and what they are called
ledger      what is known of each of them; a fold over the lines of the job file
job_file    those lines on disk, in an order that survives a kill at any moment
dispatch    one picture on its way to the service
run         all of them, many at a time, until they are done
report      what a person, a script or a log sees of it
"""
