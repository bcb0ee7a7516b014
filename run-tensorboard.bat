@echo off
rem TensorBoard over all runs. Arguments go to TensorBoard, for instance --port 7000.
setlocal
call "%~dp0environment.bat"
if errorlevel 1 (
    if "%~1"=="" pause
    exit /b 1
)
if not defined TIMBRE_HOME set "TIMBRE_HOME=%HERE:~0,-1%"
"%PYTHON%" -m tensorboard.main --logdir "%TIMBRE_HOME%\logs" %*
exit /b %errorlevel%
