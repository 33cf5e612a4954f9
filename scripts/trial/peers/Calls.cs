using System;
using System.Collections.Generic;
using System.ServiceModel;
using System.ServiceModel.Channels;
using System.ServiceModel.Dispatcher;
using System.Threading;

/// The document service with .NET's own SOAP stack (WCF), as Mono has it.
[ServiceContract(Namespace = "urn:example:calls")]
public interface ICalls
{
    [OperationContract(Action = "urn:example:calls/RecordCall", ReplyAction = "*")]
    string RecordCall(string callId, string agent);
}

[ServiceBehavior(InstanceContextMode = InstanceContextMode.Single)]
public class Calls : ICalls
{
    private readonly HashSet<string> failed = new HashSet<string>();

    public string RecordCall(string callId, string agent)
    {
        Console.WriteLine("{\"callId\":\"" + callId + "\",\"agent\":\"" + agent.Replace("\\", "\\\\").Replace("\"", "\\\"") + "\"}");
        if (callId.StartsWith("client"))
            throw Fault("Client", "no such call: " + callId);
        lock (failed)
            if (callId.StartsWith("server") && failed.Add(callId))
                throw Fault("Server", "try later");
        return "taken";
    }

    private static FaultException Fault(string code, string text)
    {
        return new FaultException(text, new FaultCode(code, "http://schemas.xmlsoap.org/soap/envelope/"));
    }

    public static void Main(string[] args)
    {
        Console.OutputEncoding = new System.Text.UTF8Encoding(false);
        var host = new ServiceHost(typeof(Calls), new Uri("http://" + args[0] + "/"));
        host.AddServiceEndpoint(typeof(ICalls), new BasicHttpBinding(), "calls");
        host.Open();
        foreach (ChannelDispatcher d in host.ChannelDispatchers)
            d.ErrorHandlers.Add(new Faults());
        new ManualResetEvent(false).WaitOne();
    }
}

/// Mono makes a fault of its own of each exception, unless a handler does.
public class Faults : IErrorHandler
{
    public bool HandleError(Exception e) { return true; }

    public void ProvideFault(Exception e, MessageVersion version, ref Message fault)
    {
        var cause = e as FaultException ?? e.InnerException as FaultException;
        if (cause != null)
            fault = Message.CreateMessage(version, cause.CreateMessageFault(), null);
    }
}
